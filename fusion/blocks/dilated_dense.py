"""The dilated residual dense block of BDLFusion and SegMiF (Liu et al. 2023)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.pointwise import PointwiseConv2d

LAYERS = 5


class DilatedResidualDenseBlock(nn.Module):
    """Five dense 3×3 layers of dilation 2 and a 1×1 projection, plus the input: B×C×H×W kept.

    A pixel of the output depends on 21×21 pixels of the input.
    """

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        widths = [channels + growth * count for count in range(LAYERS + 1)]
        self.layers = nn.ModuleList(
            nn.Conv2d(width, growth, 3, padding=2, dilation=2) for width in widths[:-1]
        )
        self.merge = PointwiseConv2d(widths[-1], channels)

    def forward(self, features: Tensor) -> Tensor:
        dense = features
        for layer in self.layers:
            dense = torch.cat([dense, F.relu(layer(dense))], dim=1)
        return features + F.relu(self.merge(dense))


def published_names(theirs: str, ours: str) -> dict[str, str]:
    """Published name of each layer of the block -> name in this module."""
    layers = {f"{theirs}.Dcov{layer + 1}": f"{ours}.layers.{layer}" for layer in range(LAYERS)}
    return layers | {f"{theirs}.conv": f"{ours}.merge"}
