"""Pieces of a U-Net (Ronneberger et al. 2015): with batch normalization, sizes kept."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from fusion.blocks.config import LEVELS


def level_widths(width: int) -> list[int]:
    """Channels of the five levels, finest first: width, 2·width, …, 16·width."""
    return [width * 2**level for level in range(LEVELS)]


def double_conv(inputs: int, outputs: int, *, bias: bool) -> nn.Sequential:
    """(3×3 convolution, batch normalization, ReLU) twice: B×inputs×H×W -> B×outputs×H×W."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        convolution = nn.Conv2d(channels, outputs, 3, padding=1, bias=bias)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class Contraction(nn.Module):
    """The way down: a double convolution a level, 2×2 max-pooling between them."""

    def __init__(self, inputs: int, widths: Sequence[int], *, bias: bool) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            double_conv(*channels, bias=bias) for channels in pairwise([inputs, *widths])
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """B×inputs×H×W -> the features of every level, finest first; level l is H/2ˡ×W/2ˡ."""
        features = [self.levels[0](image)]
        for level in self.levels[1:]:
            features.append(level(self.pool(features[-1])))
        return features


class Expansion(nn.Module):
    """The way up: rise, concatenate behind the skip, double convolution, level by level.

    `rise(deep, shallow)` makes a module that doubles the size and takes `deep` to `shallow`
    channels.
    """

    def __init__(
        self, widths: Sequence[int], rise: Callable[[int, int], nn.Module], *, bias: bool
    ) -> None:
        super().__init__()
        steps = list(pairwise(reversed(widths)))
        self.rises = nn.ModuleList(rise(deep, shallow) for deep, shallow in steps)
        self.merges = nn.ModuleList(
            double_conv(2 * shallow, shallow, bias=bias) for _, shallow in steps
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features of every level, finest first -> those of the finest, B×widths[0]×H×W."""
        *skips, risen = features
        for rise, merge, skip in zip(self.rises, self.merges, reversed(skips), strict=True):
            risen = merge(torch.cat([skip, rise(risen)], dim=1))
        return risen
