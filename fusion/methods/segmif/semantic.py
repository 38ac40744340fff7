"""The first two stages of SegFormer's encoder, Mix Transformer B3 (Xie et al. 2021)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.depthwise import DepthwiseConv2d
from fusion.methods.segmif.config import SegMiFConfig

EXPANSION = 4
SMALLEST = 32
"""The smallest side at which the first stage's attention has tokens to attend to."""


def tokens_of(features: Tensor) -> Tensor:
    """B×C×H×W -> B×HW×C."""
    return features.flatten(2).transpose(1, 2)


def image_of(tokens: Tensor, like: Tensor) -> Tensor:
    """B×HW×C -> B×C×H×W with the sides of `like`."""
    output: Tensor = torch.unflatten(tokens.transpose(1, 2), 2, like.shape[-2:])
    return output


class ReducedAttention(nn.Module):
    """Attention of every token to the tokens of a smaller image: B×HW×C kept."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.reduce = nn.Conv2d(channels, channels, reduction, stride=reduction)
        self.norm = nn.LayerNorm(channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, like: Tensor) -> Tensor:
        small = self.norm(tokens_of(self.reduce(image_of(tokens, like))))
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(tokens), *self.key_value(small).chunk(2, dim=2))
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        output: Tensor = self.project(attended.transpose(1, 2).flatten(2))
        return output


class MixFeedForward(nn.Module):
    """Linear, depthwise 3×3, GELU, linear: B×HW×C kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = EXPANSION * channels
        self.expand = nn.Linear(channels, hidden)
        self.depthwise = DepthwiseConv2d(hidden, 3)
        self.project = nn.Linear(hidden, channels)

    def forward(self, tokens: Tensor, like: Tensor) -> Tensor:
        expanded = image_of(self.expand(tokens), like)
        output: Tensor = self.project(F.gelu(tokens_of(self.depthwise(expanded))))
        return output


class TransformerBlock(nn.Module):
    """x + attention(LN(x)), then x + feed-forward(LN(x))."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels, eps=1e-6)
        self.attention = ReducedAttention(channels, heads, reduction)
        self.feed_forward_norm = nn.LayerNorm(channels, eps=1e-6)
        self.feed_forward = MixFeedForward(channels)

    def forward(self, tokens: Tensor, like: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.attention_norm(tokens), like)
        output: Tensor = tokens + self.feed_forward(self.feed_forward_norm(tokens), like)
        return output


class Stage(nn.Module):
    """A strided convolution and blocks: B×inputs×H×W -> B×C×⌈H/stride⌉×⌈W/stride⌉."""

    def __init__(
        self,
        entry: nn.Conv2d,
        *,
        heads: int,
        reduction: int,
        depth: int,
    ) -> None:
        super().__init__()
        channels = entry.out_channels
        self.entry = entry
        self.entry_norm = nn.LayerNorm(channels)
        self.blocks = nn.ModuleList(
            TransformerBlock(channels, heads, reduction) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, features: Tensor) -> Tensor:
        entered = self.entry(features)
        tokens = self.entry_norm(tokens_of(entered))
        for block in self.blocks:
            tokens = block(tokens, entered)
        return image_of(self.norm(tokens), entered)


class SemanticEncoder(nn.Module):
    """B×3×H×W in [0, 1], sides of at least 32 -> features of 1/4 and 1/8 of the size.

    The image is not normalized by ImageNet's mean and deviation, as in the authors' code.
    """

    def __init__(self, config: SegMiFConfig) -> None:
        super().__init__()
        width, (first, second) = config.semantic_width, config.semantic_depths
        self.stages = nn.ModuleList(
            [
                Stage(
                    nn.Conv2d(3, width, 7, stride=4, padding=3), heads=1, reduction=8, depth=first
                ),
                Stage(
                    nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                    heads=2,
                    reduction=4,
                    depth=second,
                ),
            ]
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.stages[0](image)
        return quarter, self.stages[1](quarter)
