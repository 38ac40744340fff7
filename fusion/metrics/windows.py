"""Local weighted statistics: separable windows as products with banded matrices.

Convolution libraries are slow on single planes. Cut into tiles, the same sums are matrix products,
which run at full speed. Each tile is centered before it is squared, so that float32 resolves the
small variances of smooth regions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

TILE = 32


def gaussian(size: int, deviation: float, like: Tensor) -> Tensor:
    """Normalized Gaussian weights of `size` taps."""
    offsets = torch.arange(size, dtype=torch.float64, device=like.device) - (size - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * deviation**2))
    return (weights / weights.sum()).to(like.dtype)


def local_mean(planes: Tensor, window: Tensor, stride: int = 1) -> Tensor:
    """Means weighted by window ⊗ window where it fits entirely, at every `stride`-th position.

    Args:
        planes: …×H×W.
        window: N weights.

    Returns:
        …×h×w with h = ceil((H − N + 1) / stride).
    """
    band = _band(window)[:, ::stride]
    means = band.mT @ _tiles(planes, window.numel()) @ band
    height, width = (-(-(side - window.numel() + 1) // stride) for side in planes.shape[-2:])
    return means.transpose(-3, -2).flatten(-4, -3).flatten(-2)[..., :height, :width]


@dataclass(frozen=True)
class LocalStatistics:
    """Weighted statistics in every window of fused, infrared and visible, in tiles.

    mean, variance: 3×B×rows×columns×TILE×TILE; variances are 0 or more.
    covariance: 2×B×…, of fused with infrared and with visible.
    valid: rows×columns×TILE×TILE, 1 where the window lies inside the image, else 0.
    """

    mean: Tensor
    variance: Tensor
    covariance: Tensor
    valid: Tensor

    def total(self, values: Tensor) -> Tensor:
        """Float64 sums over all windows inside the image: K×B×… → K×B."""
        return (values * self.valid).sum((4, 5)).sum((2, 3), dtype=torch.float64)


def local_statistics(planes: Tensor, window: Tensor) -> LocalStatistics:
    """Means, variances and covariances weighted by window ⊗ window (weights sum to one).

    Args:
        planes: 3×B×H×W: fused, infrared, visible.
    """
    band, taps = _band(window), window.numel()
    tiles = _tiles(planes, taps)
    offset = tiles.mean((-2, -1), keepdim=True)
    tiles = tiles - offset
    mean, square, product = (
        band.mT @ moment @ band for moment in (tiles, tiles**2, tiles[:1] * tiles[1:])
    )
    variance = (square - mean**2).clamp_min(0)
    covariance = product - mean[:1] * mean[1:]
    inside = planes.new_ones(planes.shape[-2] - taps + 1, planes.shape[-1] - taps + 1)
    return LocalStatistics(mean + offset, variance, covariance, _tiles(inside, 1))


def _band(window: Tensor) -> Tensor:
    """(TILE + N − 1) × TILE; column j holds the window from row j on."""
    band = window.new_zeros(TILE + window.numel() - 1, TILE)
    for column in range(TILE):
        band[column : column + window.numel(), column] = window
    return band


def _tiles(planes: Tensor, taps: int) -> Tensor:
    """…×H×W → …×rows×columns×S×S, S = TILE + taps − 1, overlapping by taps − 1; zeros beyond."""
    missing = [-(side - taps + 1) % TILE for side in planes.shape[-2:]]
    padded = F.pad(planes, (0, missing[1], 0, missing[0]))
    side = TILE + taps - 1
    return padded.unfold(-2, side, TILE).unfold(-2, side, TILE)
