"""CDDFuse's encoder: base features by attention, detail features by an invertible network."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fusion.blocks.dense_attention import DenseAttentionBlock
from fusion.blocks.depthwise import DepthwiseConv2d
from fusion.blocks.pointwise import PointwiseConv2d
from fusion.blocks.restormer import restormer_blocks
from fusion.methods.cddfuse.config import CDDFuseConfig


class Bottleneck(nn.Sequential):
    """Inverted residual block without the skip: 1×1 to 2C, 3×3 depthwise, 1×1 back; no biases."""

    def __init__(self, channels: int) -> None:
        hidden = 2 * channels
        super().__init__(
            PointwiseConv2d(channels, hidden, bias=False),
            nn.ReLU6(),
            DepthwiseConv2d(hidden, 3, bias=False, padding_mode="reflect"),
            nn.ReLU6(),
            PointwiseConv2d(hidden, channels, bias=False),
        )


class InvertibleNode(nn.Module):
    """Affine coupling of two halves after a 1×1 mixing: B×C×H×W -> B×C×H×W, no information lost.

    z2 += φ(z1), then z1 = z1 · exp(ρ(z2)) + η(z2).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = PointwiseConv2d(channels, channels)
        self.phi = Bottleneck(channels // 2)
        self.rho = Bottleneck(channels // 2)
        self.eta = Bottleneck(channels // 2)

    def forward(self, features: Tensor) -> Tensor:
        first, second = self.mix(features).chunk(2, dim=1)
        second = second + self.phi(first)
        first = first * self.rho(second).exp() + self.eta(second)
        return torch.cat([first, second], dim=1)


class Features(NamedTuple):
    """Features of a batch of images, B×C×H×W each."""

    base: Tensor
    detail: Tensor


def base_block(config: CDDFuseConfig) -> DenseAttentionBlock:
    """Attention on the base features; zeros lie beyond the border, as in the authors' code."""
    return DenseAttentionBlock(config.channels, config.heads, padding_mode="zeros")


class Encoder(nn.Module):
    """B×1×H×W in [0, 1] -> base and detail features; one encoder for both modalities."""

    def __init__(self, config: CDDFuseConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, config.channels, 3, padding=1, bias=False)
        self.blocks = restormer_blocks(config)
        self.base = base_block(config)
        self.detail = nn.Sequential(*(InvertibleNode(config.channels) for _ in range(config.nodes)))

    def forward(self, image: Tensor) -> Features:
        shared = self.blocks(self.stem(image))
        return Features(self.base(shared), self.detail(shared))
