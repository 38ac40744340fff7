"""A fused image with its two sources, and quantities that several metrics share."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 256
EXACT = 1024
"""Products of centered levels are whole numbers up to 2¹⁴: float32 sums 1024 of them exactly."""


class Moments(NamedTuple):
    """First and second moments of fused, infrared and visible, float64.

    mean: B×3, less 128.
    covariance: B×3×3, population.
    """

    mean: Tensor
    covariance: Tensor


class Triplet:
    """A batch of fused images and their sources; every shared quantity is computed on first use.

    Args:
        fused, infrared, visible: B×1×H×W gray levels 0..255 as an 8-bit file holds them, uint8 or
            any float type.

    Raises:
        ValueError: shapes differ, or a value is not a whole number 0..255. Metrics of images in
            0..1 or of unrounded network outputs are not comparable with the papers.
    """

    def __init__(self, fused: Tensor, infrared: Tensor, visible: Tensor) -> None:
        if not fused.shape == infrared.shape == visible.shape or fused.dim() != 4:
            shapes = ", ".join(str(tuple(image.shape)) for image in (fused, infrared, visible))
            raise ValueError(f"fused, infrared and visible must be alike, B×1×H×W or H×W: {shapes}")
        if fused.shape[1] != 1:
            raise ValueError(f"metrics are of gray images (one channel), not {fused.shape[1]}")
        self.levels = tuple(_levels(image) for image in (fused, infrared, visible))
        """uint8, three of B×H×W: fused, infrared, visible."""

    def undefined(self) -> Tensor:
        """One NaN per image: the value of a metric that is undefined for this size."""
        fused = self.levels[0]
        return torch.full((len(fused),), torch.nan, dtype=torch.float64, device=fused.device)

    @property
    def shape(self) -> torch.Size:
        """B×H×W."""
        return self.levels[0].shape

    @cached_property
    def fused(self) -> Tensor:
        """float32, B×H×W."""
        return self.levels[0].float()

    @cached_property
    def planes(self) -> Tensor:
        """float32, 3×B×H×W: fused, infrared, visible."""
        planes = self.levels[0].new_empty((3, *self.shape), dtype=torch.float32)
        for plane, levels in zip(planes, self.levels, strict=True):
            plane.copy_(levels)
        return planes

    @cached_property
    def moments(self) -> Moments:
        """Means and covariances of the three images."""
        return moments(self.levels)

    @cached_property
    def fused_histogram(self) -> Tensor:
        """float64, B×256 counts of the fused image's gray levels."""
        counts = [torch.bincount(image, minlength=LEVELS) for image in self.levels[0].flatten(1)]
        return torch.stack(counts).double()

    @cached_property
    def joint_histograms(self) -> Tensor:
        """float64, 2×B×256×256 counts of (fused, infrared) and of (fused, visible) levels."""
        fused, *sources = self.levels
        rows = fused.flatten(1).int().mul_(LEVELS)
        counts = [
            torch.bincount(row + image, minlength=LEVELS**2)
            for source in sources
            for row, image in zip(rows, source.flatten(1), strict=True)
        ]
        return torch.stack(counts).view(2, -1, LEVELS, LEVELS).double()


def moments(levels: Sequence[Tensor]) -> Moments:
    """Exact moments of K images a batch, uint8 B×H×W each."""
    batch, pixels = len(levels[0]), levels[0][0].numel()
    shape = (batch, -(-pixels // EXACT), len(levels), EXACT)
    chunks = torch.empty(shape, device=levels[0].device)
    for index, image in enumerate(levels):
        centered = (image.flatten(1) ^ 128).view(torch.int8)
        if pixels % EXACT:
            centered = F.pad(centered, (0, -pixels % EXACT))
        chunks[:, :, index] = centered.unflatten(1, (-1, EXACT))
    gram = (chunks @ chunks.mT).sum(1, dtype=torch.float64) / pixels
    mean = chunks.sum(3).sum(1, dtype=torch.float64) / pixels
    return Moments(mean, gram - mean[:, :, None] * mean[:, None, :])


def sobel(padded: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical Sobel responses (sums to 8) of planes padded by one pixel."""
    smooth_rows = (padded[..., :-2, :] + padded[..., 2:, :]).add_(padded[..., 1:-1, :], alpha=2)
    smooth_columns = (padded[..., :-2] + padded[..., 2:]).add_(padded[..., 1:-1], alpha=2)
    horizontal = smooth_rows[..., 2:] - smooth_rows[..., :-2]
    vertical = smooth_columns[..., 2:, :] - smooth_columns[..., :-2, :]
    return horizontal, vertical


def _levels(image: Tensor) -> Tensor:
    image = image.squeeze(1)
    if image.dtype == torch.uint8:
        return image
    levels = image.to(torch.uint8)
    if not torch.equal(levels.to(image.dtype), image):
        raise ValueError("gray levels must be whole numbers 0..255, as an 8-bit file holds")
    return levels
