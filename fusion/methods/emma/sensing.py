"""Pseudo-sensing networks: each sensor's view of a fused image (EMMA; Zhao et al. 2024)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fusion.blocks.config import MULTIPLE
from fusion.blocks.padding import pad_to_multiple
from fusion.blocks.unet import Contraction, Expansion, level_widths
from fusion.methods.emma.config import SensingConfig


class Sensed(NamedTuple):
    """Both sensors' views of a fused image, B×1×H×W in [0, 1] each."""

    infrared: Tensor
    visible: Tensor


class SensingNetwork(nn.Module):
    """A U-Net that recovers one source: fused B×1×H×W in [0, 1] -> B×1×H×W in [0, 1].

    Sides that do not divide by 16 are padded by reflection, so any size from 16 on works.
    """

    def __init__(self, config: SensingConfig) -> None:
        super().__init__()
        widths = level_widths(config.width)
        self.down = Contraction(1, widths, bias=True)
        self.up = Expansion(widths, _rise, bias=True)
        self.head = nn.Conv2d(config.width, 1, 3, padding=1)

    def forward(self, fused: Tensor) -> Tensor:
        height, width = fused.shape[-2:]
        features = self.up(self.down(pad_to_multiple(fused, MULTIPLE)))
        return torch.sigmoid(self.head(features).float())[..., :height, :width]


def _rise(deep: int, shallow: int) -> nn.Sequential:
    transposed = nn.ConvTranspose2d(deep, shallow, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(transposed, nn.ReLU())


class SensingNetworks(nn.Module):
    """A_i and A_v side by side."""

    def __init__(self, config: SensingConfig) -> None:
        super().__init__()
        self.infrared = SensingNetwork(config)
        self.visible = SensingNetwork(config)

    def forward(self, fused: Tensor) -> Sensed:
        """Both sensors' views of `fused`, B×1×H×W in [0, 1]."""
        return Sensed(self.infrared(fused), self.visible(fused))


def low_contrast(images: Tensor, threshold: float) -> Tensor:
    """Detect images of low contrast: (p90 − p10) / p90 < threshold, or black up to p90.

    Args:
        images: B×1×H×W in [0, 1].
        threshold: relative distance of the percentiles, in [0, 1].

    Returns:
        B booleans.
    """
    levels = images.new_tensor([0.1, 0.9])
    low, high = torch.quantile(images.flatten(1), levels, dim=1)
    black, flat = high <= 0, high - low < threshold * high
    return torch.logical_or(flat, black)
