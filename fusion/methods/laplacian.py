"""Laplacian pyramid fusion, on the pyramid of Burt & Adelson (IEEE Trans. Commun. 1983).

The pyramid, its generating kernel and a = 0.4 are the paper's. It codes single images; the fusion
rule (largest magnitude for the detail, mean for the base), the number of levels and replicated
borders are choices.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from fusion.blocks.filters import separable
from fusion.core.config import Config
from fusion.methods.base import register
from fusion.methods.classical import ClassicalMethod, larger_magnitude

CENTER = 0.4
KERNEL = (0.25 - CENTER / 2, 0.25, CENTER, 0.25, 0.25 - CENTER / 2)


class LaplacianConfig(Config):
    """levels: detail levels, each half the size of the one before; 4 is a choice."""

    levels: int = Field(4, ge=1, le=30)


@register("laplacian")
class Laplacian(ClassicalMethod):
    """At each pixel of each detail level the source of larger magnitude; mean of the base."""

    config_class: ClassVar[type[Config]] = LaplacianConfig
    config: LaplacianConfig

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        *details, base = decompose(infrared, self.config.levels)
        *other_details, other_base = decompose(visible, self.config.levels)
        fused = map(larger_magnitude, details, other_details)
        return reconstruct([*fused, (base + other_base) / 2])


def decompose(image: Tensor, levels: int) -> list[Tensor]:
    """B×C×H×W -> `levels` details, finest first, and the base; sides are halved, rounded up."""
    pyramid = []
    for _ in range(levels):
        smaller = reduce(image)
        pyramid.append(image - expand(smaller, image.shape[-2:]))
        image = smaller
    return [*pyramid, image]


def reconstruct(pyramid: Sequence[Tensor]) -> Tensor:
    """The image of a pyramid; inverts `decompose` up to rounding."""
    *details, image = pyramid
    for detail in reversed(details):
        image = detail + expand(image, detail.shape[-2:])
    return image


def reduce(image: Tensor) -> Tensor:
    """REDUCE (equation 1): smooth with the generating kernel, keep every second pixel."""
    return separable(image, KERNEL, step=2)


def expand(image: Tensor, size: Sequence[int]) -> Tensor:
    """EXPAND (equation 2): interpolate to twice the size with the same kernel, then crop.

    Args:
        image: B×C×⌈H/2⌉×⌈W/2⌉.
        size: H, W.

    Returns:
        B×C×H×W.
    """
    for length in reversed(size):  # along the width, then transposed along the height
        padded = F.pad(image, (1, 1, 0, 0), mode="replicate")
        left, right = padded[..., :-2], padded[..., 2:]
        on_pixels = 2 * KERNEL[0] * (left + right) + 2 * KERNEL[2] * image
        between = 2 * KERNEL[1] * (image + right)
        interleaved = torch.stack([on_pixels, between], dim=-1).flatten(-2)
        image = interleaved[..., :length].transpose(-2, -1)
    return image
