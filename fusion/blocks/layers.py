"""Building blocks that fusion networks share.

Feature maps are B×C×H×W. Everything here works in either memory format; in `channels_last` the
layer norm and the hash groups need no copies.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.depthwise import DepthwiseConv2d
from fusion.blocks.pointwise import PointwiseConv2d, convolve_pixels

NARROW = 64
"""Channels of queries and keys up to which their norms are read from the product of all with all:
more operations than those of queries with keys, but one pass over the pixels in place of three."""


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalization over the channels of every pixel (with bias): B×C×H×W -> B×C×H×W."""

    def forward(self, features: Tensor) -> Tensor:
        pixels_last = super().forward(features.permute(0, 2, 3, 1))
        return pixels_last.permute(0, 3, 1, 2)


class TransposedAttention(nn.Module):
    """Multi-Dconv head transposed attention (MDTA; Zamir et al. 2022, Restormer).

    Attention between channels: with L2-normalized q, k along the pixels, each head computes
    softmax(temperature · q kᵀ) v, a (C/heads)×(C/heads) matrix, so the cost is linear in pixels.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.expand = PointwiseConv2d(channels, 3 * channels, bias=False)
        self.depthwise = DepthwiseConv2d(3 * channels, 3, bias=False)
        self.project = PointwiseConv2d(channels, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        query_key, value = _expand_in_parts(features, self.expand, self.depthwise, (2, 1))
        return attend_between_channels(query_key, value, self.temperature, self.project.weight)


def attend_between_channels(
    query_key: Tensor, value: Tensor, temperature: Tensor, projection: Tensor
) -> Tensor:
    """Attention between the channels of each head, then a 1×1 projection of all heads.

    Args:
        query_key: queries, then keys, B×2C×H×W.
        value: B×C×H×W.
        temperature: factor of every head's cosines, heads×1×1.
        projection: weight of the 1×1 convolution, C'×C×1×1.

    Returns:
        B×C'×H×W.
    """
    heads = len(temperature)
    cosines = channel_cosines(query_key.flatten(2).transpose(1, 2), heads)
    attention = (cosines * temperature).softmax(-1)
    # projection ∘ attention is one C'×C matrix an image: a single pass over the pixels
    weight = projection.flatten(1).unflatten(1, (heads, -1))
    mixing = torch.einsum("ohc,bhcd->bohd", weight.to(attention.dtype), attention).flatten(2)
    mixing, values = mixing.to(value.dtype), value.flatten(2)
    if value.is_contiguous(memory_format=torch.channels_last):  # what follows wants its own format
        mixed = (values.transpose(1, 2) @ mixing.transpose(1, 2)).transpose(1, 2)
    else:
        mixed = mixing @ values
    output: Tensor = mixed.unflatten(2, value.shape[2:])
    return output


def channel_cosines(query_key: Tensor, heads: int) -> Tensor:
    """Cosines between queries and keys of each head: B×L×2C -> B×heads×C/heads×C/heads, float32.

    One product of all channels, of which only the heads' own blocks are kept, is several times
    faster than a product for each head; normalizing it saves two passes over all L pixels.
    """
    query, key = query_key.chunk(2, dim=2)
    if query_key.shape[2] <= NARROW:
        all_products = _products(query_key)
        norms = all_products.diagonal(dim1=1, dim2=2).clamp_min(1e-24).sqrt()
        products = all_products[:, : query.shape[2], query.shape[2] :]
    else:
        products, norms = (query.transpose(1, 2) @ key).float(), _column_norms(query_key)
    query_norms, key_norms = norms.chunk(2, dim=1)
    cosines = products / (query_norms.unsqueeze(2) * key_norms.unsqueeze(1))
    blocks = cosines.unflatten(2, (heads, -1)).unflatten(1, (heads, -1))
    diagonal: Tensor = blocks.diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2)
    return diagonal


def _products(pixels: Tensor) -> Tensor:
    """pixelsᵀ pixels, B×L×C -> B×C×C, float32.

    Written plainly, its gradient is a sum of two B×L×C tensors in different memory formats. Here
    one factor is a constant, and the transpose adds the other half on B×C×C. Second derivatives
    are not those of the product.
    """
    half = (pixels.detach().transpose(1, 2) @ pixels).float()
    return half + half.transpose(1, 2) - half.detach()


def _column_norms(pixels: Tensor) -> Tensor:
    """Euclidean norms, B×L×C -> B×C float32, at least 1e-12; zero columns have no gradient.

    In `channels_last`, torch's own norm takes seven times as long on a CPU.
    """
    return (pixels * pixels).sum(1, dtype=torch.float32).clamp_min(1e-24).sqrt()


class GatedFeedForward(nn.Module):
    """Gated-Dconv feed-forward network (GDFN; Zamir et al. 2022): GELU(a) · b of width e·C."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.expand = PointwiseConv2d(channels, 2 * hidden, bias=False)
        self.depthwise = DepthwiseConv2d(2 * hidden, 3, bias=False)
        self.project = PointwiseConv2d(hidden, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        gate, value = _expand_in_parts(features, self.expand, self.depthwise, (1, 1))
        opened = F.gelu(gate)
        # in place a third faster, but a gradient needs both factors
        product = opened * value if torch.is_grad_enabled() else opened.mul_(value)
        output: Tensor = self.project(product)
        return output


def _expand_in_parts(
    features: Tensor, expand: PointwiseConv2d, depthwise: DepthwiseConv2d, shares: tuple[int, ...]
) -> list[Tensor]:
    """depthwise(expand(features)), one tensor for each share of its channels.

    Each part is computed on its own. Cut from one tensor, the parts would be slow to read, and
    their gradients would have to be joined.

    Args:
        features: B×C×H×W.
        expand, depthwise: holders of the weights, without biases; `depthwise` pads with zeros.
        shares: proportions of the parts' channels.

    Returns:
        B×C'×H×W each.
    """
    channels = expand.out_channels // sum(shares)
    sizes = [share * channels for share in shares]
    weights = zip(expand.weight.split(sizes), depthwise.weight.split(sizes), strict=True)
    return [
        F.conv2d(
            convolve_pixels(features, outer), inner, padding=depthwise.padding, groups=len(inner)
        )
        for outer, inner in weights
    ]


class RestormerBlock(nn.Module):
    """x + MDTA(LN(x)), then x + GDFN(LN(x)): B×C×H×W -> B×C×H×W (Zamir et al. 2022)."""

    def __init__(self, channels: int, heads: int, expansion: float = 2.0) -> None:
        super().__init__()
        self.attention_norm = ChannelLayerNorm(channels)
        self.attention = TransposedAttention(channels, heads)
        self.feed_forward_norm = ChannelLayerNorm(channels)
        self.feed_forward = GatedFeedForward(channels, expansion)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.attention(self.attention_norm(features))
        output: Tensor = features + self.feed_forward(self.feed_forward_norm(features))
        return output


class SpatialAttention(nn.Module):
    """7×7 convolution over the channel mean and maximum: B×C×H×W -> B×1×H×W logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, padding_mode="reflect")

    def forward(self, features: Tensor) -> Tensor:
        mean = features.mean(1, keepdim=True)
        maximum = features.amax(1, keepdim=True)
        weights: Tensor = self.conv(torch.cat([mean, maximum], dim=1))
        return weights


class ChannelAttention(nn.Module):
    """Global average pool, 1×1 to C/reduction, ReLU, 1×1 to C: B×C×H×W -> B×C×1×1 logits."""

    def __init__(self, channels: int, reduction: int, *, bias: bool = True) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1, bias=bias)
        self.excite = nn.Conv2d(hidden, channels, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        pooled = features.mean((2, 3), keepdim=True)
        weights: Tensor = self.excite(F.relu(self.squeeze(pooled)))
        return weights
