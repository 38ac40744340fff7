"""SD, SF and AG: how much contrast, activity and gradient a fused image has."""

import torch
from torch import Tensor

from fusion.metrics.triplet import LEVELS, Triplet


def standard_deviation(images: Triplet) -> Tensor:
    """SD: population standard deviation of the gray levels."""
    counts = images.fused_histogram
    levels = torch.arange(LEVELS, dtype=counts.dtype, device=counts.device) - LEVELS / 2
    pixels, total, squares = counts.sum(1), counts @ levels, counts @ levels.square()
    return (pixels * squares - total.square()).clamp_min(0).sqrt() / pixels


def spatial_frequency(images: Triplet) -> Tensor:
    """SF: root of the mean squared horizontal plus vertical first difference.

    Each mean is over the positions where the difference exists (Eskicioglu and Fisher 1995).
    """
    fused = images.fused
    rows = fused[:, 1:] - fused[:, :-1]
    columns = fused[:, :, 1:] - fused[:, :, :-1]
    return (_mean(rows.square_()) + _mean(columns.square_())).sqrt()


def average_gradient(images: Triplet) -> Tensor:
    """AG: mean of sqrt((Gx² + Gy²) / 2), central differences inside, one-sided at the borders."""
    squares = _twice_gradient(images.fused, 1).square_()
    squares += _twice_gradient(images.fused, 2).square_()
    return _mean(squares.sqrt_()) / 8**0.5


def _twice_gradient(image: Tensor, axis: int) -> Tensor:
    length = image.shape[axis]
    gradient = torch.empty_like(image)
    inside = gradient.narrow(axis, 1, length - 2)
    torch.sub(image.narrow(axis, 2, length - 2), image.narrow(axis, 0, length - 2), out=inside)
    for place, first, second in ((0, 0, 1), (length - 1, length - 2, length - 1)):
        step = image.narrow(axis, second, 1) - image.narrow(axis, first, 1)
        gradient.narrow(axis, place, 1).copy_(2 * step)
    return gradient


def _mean(values: Tensor) -> Tensor:
    """Float64 means of B×H×W; rows are summed in float32."""
    return values.sum(2).sum(1, dtype=torch.float64) / values[0].numel()
