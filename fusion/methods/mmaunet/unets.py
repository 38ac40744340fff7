"""MMA-UNet's two reconstructing U-Nets; visible features guide the infrared ones."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from fusion.blocks.layers import ChannelAttention
from fusion.blocks.unet import Contraction, Expansion

PLANES = 3
"""Equal planes of luminance that the networks take and give."""


class GuidedGate(nn.Module):
    """Squeeze-excitation by another network's features: features · sigmoid(attention(guide))."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.attention = ChannelAttention(channels, reduction, bias=False)

    def forward(self, features: Tensor, guide: Tensor) -> Tensor:
        return features * torch.sigmoid(self.attention(guide))


class GuidedContraction(nn.Module):
    """The contracting path with a gate after every level; gated features also go to the skips."""

    def __init__(self, inputs: int, widths: Sequence[int], reduction: int) -> None:
        super().__init__()
        self.plain = Contraction(inputs, widths, bias=False)
        self.gates = nn.ModuleList(GuidedGate(width, reduction) for width in widths)

    def forward(self, image: Tensor, guides: Sequence[Tensor]) -> list[Tensor]:
        features: list[Tensor] = []
        for level, gate, guide in zip(self.plain.levels, self.gates, guides, strict=True):
            below = self.plain.pool(features[-1]) if features else image
            features.append(gate(level(below), guide))
        return features


class Decoder(nn.Module):
    """Features of every level, finest first -> B×3×H×W in [−1, 1]; used in training only."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        rise = partial(nn.ConvTranspose2d, kernel_size=2, stride=2)
        self.expansion = Expansion(widths, rise, bias=False)
        self.head = nn.Conv2d(widths[0], PLANES, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        return torch.tanh(self.head(self.expansion(features)).float())


class VisibleUNet(nn.Module):
    """The classic U-Net."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.encoder = Contraction(PLANES, widths, bias=False)
        self.decoder = Decoder(widths)


class InfraredUNet(nn.Module):
    """The same with a guided encoder."""

    def __init__(self, widths: Sequence[int], reduction: int) -> None:
        super().__init__()
        self.encoder = GuidedContraction(PLANES, widths, reduction)
        self.decoder = Decoder(widths)
