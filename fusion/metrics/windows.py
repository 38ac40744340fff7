"""Local weighted statistics: separable windows as products with banded matrices.

Convolution libraries are slow on single planes. Cut into tiles, the same sums are matrix products,
which run at full speed. Each tile is centered before it is squared, so that float32 resolves the
small variances of smooth regions. Tiles go through all their steps in groups that a processor's
cache holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

TILE = 32
GROUP = {"cpu": 60, "cuda": 1 << 14}
"""Tiles at a time: what a CPU's caches hold, or what keeps a GPU busy."""


def gaussian(size: int, deviation: float, like: Tensor) -> Tensor:
    """Normalized Gaussian weights of `size` taps."""
    offsets = torch.arange(size, dtype=torch.float64, device=like.device) - (size - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * deviation**2))
    return (weights / weights.sum()).to(like.dtype)


def local_mean(planes: Tensor, window: Tensor, stride: int = 1) -> Tensor:
    """Means weighted by window ⊗ window where it fits entirely, at every `stride`-th position.

    Args:
        planes: K×B×H×W.
        window: N weights.
        stride: a divisor of `TILE`.

    Returns:
        K×B×h×w with h = ceil((H − N + 1) / stride); its rows lie across the planes in memory.
    """
    band, taps = _band(window)[:, ::stride].contiguous(), window.numel()
    height, width = (side - taps + 1 for side in planes.shape[-2:])
    rows, columns = -(-height // TILE), -(-width // TILE)
    step = TILE // stride
    means = planes.new_empty(rows * step, *planes.shape[:2], columns * step)
    for row in range(rows):
        tiles = _tiles(planes, taps, range(row, row + 1), range(columns)).contiguous()
        smooth = tiles.flatten(0, -2) @ band
        torch.mm(band.mT, smooth.view(len(band), -1), out=means[row * step :][:step].view(step, -1))
    return means.movedim(0, 2)[..., : -(-height // stride), : -(-width // stride)]


@dataclass(frozen=True)
class LocalStatistics:
    """Weighted statistics in every window of fused, infrared and visible, for a group of tiles.

    The axes are TILE×K×B×rows×columns×TILE: a row within its tile, the plane, the image, the tile's
    row and column, and a column within its tile.

    images: which images of the batch the group is of.
    centered: K = 3 means minus `offset`.
    offset: 1×3×B×rows×columns×1, a value near each tile's mean.
    variance: K = 3, not less than 0.
    covariance: K = 2, of fused with infrared and with visible.
    height, width: of the windows that lie inside the image, counted from the group's first.
    """

    images: slice
    centered: Tensor
    offset: Tensor
    variance: Tensor
    covariance: Tensor
    height: int
    width: int

    @property
    def mean(self) -> Tensor:
        """K = 3 means."""
        return self.centered + self.offset

    def total(self, values: Tensor) -> Tensor:
        """Float64 sums over all windows inside the image: TILE×K×B×… → K×B.

        The values of other windows are overwritten.
        """
        self._fill(values, 0)
        return values.sum((0, 5)).sum((2, 3), dtype=torch.float64)

    def total_log10(self, values: Tensor) -> Tensor:
        """As `total`, of the common logarithms of values from 1 to 10⁴.

        A sum of logarithms is the logarithm of a product; eight such values fit into float32.
        """
        self._fill(values, 1)
        while len(values) > TILE // 8:
            half = len(values) // 2
            values = values[:half] * values[half:]
        return values.log10_().sum((0, 5)).sum((2, 3), dtype=torch.float64)

    def _fill(self, values: Tensor, value: float) -> None:
        """Overwrite what belongs to windows that reach beyond the image."""
        rows, columns = (-(-side // TILE) - 1 for side in (self.height, self.width))
        values[self.height - rows * TILE :, :, :, rows] = value
        values[..., columns, self.width - columns * TILE :] = value


def local_statistics(planes: Tensor, window: Tensor) -> Iterator[LocalStatistics]:
    """Means, variances and covariances weighted by window ⊗ window (weights sum to one).

    Args:
        planes: 3×B×H×W: fused, infrared, visible.

    Yields:
        Groups of tiles, which together hold every window of every image once.
    """
    band, taps, group = _band(window), window.numel(), GROUP[planes.device.type]
    height, width = (side - taps + 1 for side in planes.shape[-2:])
    rows, columns = -(-height // TILE), -(-width // TILE)
    for images in _chunks(planes.shape[1], group // (rows * columns)):
        for across in _chunks(columns, group):
            for down in _chunks(rows, group // columns):
                tiles = _tiles(planes[:, images.start : images.stop], taps, down, across)
                yield LocalStatistics(
                    slice(images.start, images.stop),
                    *_weighted(tiles, band),
                    height=min(height, down.stop * TILE) - down.start * TILE,
                    width=min(width, across.stop * TILE) - across.start * TILE,
                )


def _weighted(tiles: Tensor, band: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centered means, offsets, variances and covariances of S×3×B×rows×columns×S tiles."""
    side = len(band)
    offset = tiles[::8].mean((0, -1), keepdim=True)  # of every eighth row: near the mean suffices
    moments = tiles.new_empty(side, 8, *tiles.shape[2:])
    centered = torch.sub(tiles, offset, out=moments[:, :3])
    torch.mul(centered, centered, out=moments[:, 3:6])
    torch.mul(centered[:, :1], centered[:, 1:], out=moments[:, 6:])
    smooth = moments.view(-1, side) @ band
    sums = (band.mT @ smooth.view(side, -1)).view(TILE, 8, *tiles.shape[2:-1], TILE)
    mean, variance, covariance = sums[:, :3], sums[:, 3:6], sums[:, 6:]
    variance.addcmul_(mean, mean, value=-1).clamp_min_(0)
    covariance.addcmul_(mean[:, :1], mean[:, 1:], value=-1)
    return mean, offset, variance, covariance


def _band(window: Tensor) -> Tensor:
    """(TILE + N − 1) × TILE; column j holds the window from row j on."""
    side = TILE + window.numel() - 1
    shifted = F.pad(window, (0, TILE)).repeat(TILE)[: TILE * side]
    return shifted.view(TILE, side).mT.contiguous()


def _tiles(planes: Tensor, taps: int, rows: range, columns: range) -> Tensor:
    """K×B×H×W → S×K×B×rows×columns×S, S = TILE + taps − 1, overlapping by taps − 1.

    Only these rows and columns of tiles; zeros beyond the image.
    """
    part = planes
    for axis, span in ((2, rows), (3, columns)):
        start, end = span.start * TILE, span.stop * TILE + taps - 1
        part = part.narrow(axis, start, min(end, planes.shape[axis]) - start)
    missing = [
        len(span) * TILE + taps - 1 - side
        for span, side in zip((columns, rows), (part.shape[3], part.shape[2]), strict=True)
    ]
    if any(missing):
        part = F.pad(part, (0, missing[0], 0, missing[1]))
    side = TILE + taps - 1
    return part.unfold(-2, side, TILE).unfold(-2, side, TILE).movedim(-2, 0)


def _chunks(count: int, limit: int) -> Iterator[range]:
    """0..count in parts of nearly equal length, at most `limit` (at least one) each."""
    parts = -(-count // max(1, limit))
    size = -(-count // parts)
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
