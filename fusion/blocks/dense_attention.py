"""The block of CDDFuse's base branch and of EMMA's global path.

Restormer's block with two changes (Zhao et al. 2023, 2024): queries, keys and values come from a
dense 3×3 convolution instead of a depthwise one, and the 3×3 convolution of the feed-forward part
has two channels a group. Feature maps are B×C×H×W in either memory format.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.depthwise import PaddingMode
from fusion.blocks.layers import ChannelLayerNorm, attend_between_channels
from fusion.blocks.pointwise import PointwiseConv2d


class DenseTransposedAttention(nn.Module):
    """Transposed attention whose q, k, v are a 1×1, then a dense 3×3 convolution; no biases."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.expand = PointwiseConv2d(channels, 3 * channels, bias=False)
        self.mix = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, bias=False)
        self.project = PointwiseConv2d(channels, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        expanded, channels = self.expand(features), features.shape[1]
        query_key, value = (
            F.conv2d(expanded, weight, padding=1)
            for weight in self.mix.weight.split([2 * channels, channels])
        )
        return attend_between_channels(query_key, value, self.temperature, self.project.weight)


class PairwiseGatedFeedForward(nn.Module):
    """GELU(a) · b of width e·C; the 3×3 convolution has two channels a group; no biases."""

    def __init__(self, channels: int, expansion: float, padding_mode: PaddingMode) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.expand = PointwiseConv2d(channels, 2 * hidden, bias=False)
        self.pairwise = nn.Conv2d(
            2 * hidden,
            2 * hidden,
            3,
            padding=1,
            padding_mode=padding_mode,
            groups=hidden,
            bias=False,
        )
        self.project = PointwiseConv2d(hidden, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        gate, value = self.pairwise(self.expand(features)).chunk(2, dim=1)
        output: Tensor = self.project(F.gelu(gate) * value)
        return output


class DenseAttentionBlock(nn.Module):
    """x + attention(LN(x)), then x + feed-forward(LN(x)): B×C×H×W -> B×C×H×W."""

    def __init__(
        self,
        channels: int,
        heads: int,
        expansion: float = 1.0,
        padding_mode: PaddingMode = "reflect",
    ) -> None:
        super().__init__()
        self.attention_norm = ChannelLayerNorm(channels)
        self.attention = DenseTransposedAttention(channels, heads)
        self.feed_forward_norm = ChannelLayerNorm(channels)
        self.feed_forward = PairwiseGatedFeedForward(channels, expansion, padding_mode)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.attention(self.attention_norm(features))
        output: Tensor = features + self.feed_forward(self.feed_forward_norm(features))
        return output


PUBLISHED_NAMES = {
    "norm1.body.weight": "attention_norm.weight",
    "norm1.body.bias": "attention_norm.bias",
    "attn.scale": "attention.temperature",
    "attn.qkv1.weight": "attention.expand.weight",
    "attn.qkv2.weight": "attention.mix.weight",
    "attn.proj.weight": "attention.project.weight",
    "norm2.body.weight": "feed_forward_norm.weight",
    "norm2.body.bias": "feed_forward_norm.bias",
    "mlp.project_in.weight": "feed_forward.expand.weight",
    "mlp.dwconv.weight": "feed_forward.pairwise.weight",
    "mlp.project_out.weight": "feed_forward.project.weight",
}
"""Published names (CDDFuse, EMMA) of the entries of `DenseAttentionBlock`."""
