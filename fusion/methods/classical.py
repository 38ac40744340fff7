"""The base of the classical fusion methods: two gray images in float32, no parameters."""

from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import FusionMethod


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} must be odd, so that the window has a center")
    return size


WindowSize = Annotated[int, Field(ge=1), AfterValidator(_odd)]
"""Side of a square window in pixels, odd."""


class ClassicalMethod(FusionMethod):
    """Fuses infrared and visible luminance by `fuse`, in float32.

    `fuse` is symmetric in its two images and uses no operation that autocast runs in a lower
    precision.
    """

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return self.fuse(infrared.float(), luminance(visible.float())).clamp(0, 1)

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """Fuse two gray images.

        Args:
            infrared: B×1×H×W, float32 in [0, 1].
            visible: luminance, B×1×H×W, float32 in [0, 1].

        Returns:
            B×1×H×W, float32, not yet clipped to [0, 1].
        """
        raise NotImplementedError


def larger_magnitude(first: Tensor, second: Tensor) -> Tensor:
    """The coefficient of larger magnitude; the mean if both are equal in magnitude (choice)."""
    difference = first.abs() - second.abs()
    selected = torch.where(difference > 0, first, second)
    return torch.where(difference == 0, (first + second) / 2, selected)


def share(first: Tensor, second: Tensor) -> Tensor:
    """first / (first + second) of values ≥ 0; one half where both are 0 (choice)."""
    total = first + second
    return torch.where(total > 0, first / total, 0.5)
