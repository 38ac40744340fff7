"""SD, SF and AG: how much contrast, activity and gradient a fused image has.

Images are B×1×H×W grey levels 0..255; results are B float64.
"""

import torch
from torch import Tensor


def standard_deviation(fused: Tensor) -> Tensor:
    """SD: population standard deviation of the grey levels."""
    return fused.double().flatten(1).std(1, correction=0)


def spatial_frequency(fused: Tensor) -> Tensor:
    """SF: root of the mean squared horizontal plus vertical first difference.

    Each mean is over the positions where the difference exists (Eskicioglu and Fisher 1995).
    """
    image = fused.double()
    rows = image.diff(dim=2).square().mean((1, 2, 3))
    columns = image.diff(dim=3).square().mean((1, 2, 3))
    return (rows + columns).sqrt()


def average_gradient(fused: Tensor) -> Tensor:
    """AG: mean of sqrt((Gx² + Gy²) / 2), central differences inside, one-sided at the borders."""
    vertical, horizontal = torch.gradient(fused.double(), dim=(2, 3))
    return ((vertical.square() + horizontal.square()) / 2).sqrt().mean((1, 2, 3))
