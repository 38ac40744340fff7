"""Image filters of the classical fusion methods: B×C×H×W -> B×C×H×W, in the input's dtype.

They are sums of shifted images or cumulative sums, never convolutions, whose algorithm depends on
the batch. An image filtered alone equals the same image filtered in a batch to the last bit, so a
choice between two sources does not depend on the batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def separable(image: Tensor, taps: Sequence[float], step: int = 1) -> Tensor:
    """Correlate rows and columns with the same odd number of taps; borders are replicated.

    With `step` s only every s-th pixel is kept, from the first one on: H×W -> ⌈H/s⌉×⌈W/s⌉.
    """
    for _ in range(2):  # along the width, then transposed along the height
        length, radius = image.shape[-1], len(taps) // 2
        padded = F.pad(image, (radius, radius, 0, 0), mode="replicate")
        shifted = [padded[..., start : start + length : step] for start in range(len(taps))]
        image = shifted[0] * taps[0]
        for tap, pixels in zip(taps[1:], shifted[1:], strict=True):
            image = image + pixels * tap
        image = image.transpose(-2, -1)
    return image


def box_mean(image: Tensor, radius: int) -> Tensor:
    """Mean over windows of (2·radius + 1)² pixels; pixels outside the image do not count."""
    means = image.double()  # cumulative sums of a whole line leave float32 too few digits
    for dim in (-2, -1):
        length = image.shape[dim]
        position = torch.arange(length, device=image.device)
        first = (position - radius).clamp_min(0)
        end = (position + radius + 1).clamp_max(length)
        sums = torch.cat([torch.zeros_like(means.narrow(dim, 0, 1)), means.cumsum(dim)], dim)
        counts = (end - first).view((-1, 1) if dim == -2 else (-1,))
        means = (sums.index_select(dim, end) - sums.index_select(dim, first)) / counts
    return means.to(image.dtype)


def mean_filter(image: Tensor, size: int) -> Tensor:
    """Mean over size×size pixels, size odd; borders are replicated."""
    if size == 1:
        return image
    radius = size // 2
    padded = F.pad(image, (radius,) * 4, mode="replicate")
    return box_mean(padded, radius)[..., radius:-radius, radius:-radius]


def median_filter(image: Tensor, size: int) -> Tensor:
    """Median over size×size pixels, size odd; borders are replicated."""
    padded = F.pad(image, (size // 2,) * 4, mode="replicate")
    windows = padded.unfold(-2, size, 1).unfold(-2, size, 1)
    return windows.flatten(-2).median(-1).values


def laplacian(image: Tensor) -> Tensor:
    """Sum of the four neighbors minus four times the pixel; borders are replicated."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    rows = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    columns = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    return rows + columns - 4 * image


def guided_filter(guide: Tensor, image: Tensor, radius: int, epsilon: float) -> Tensor:
    """Guided filter with a gray guide (He, Sun & Tang 2013, equations 5, 6 and 8).

    In every window of (2·radius + 1)², image ≈ a·guide + b by ridge regression, penalty
    epsilon·a²; a pixel's output uses the mean a and b of all windows that contain it. Windows end
    at the border, as in the authors' code.

    Args:
        guide: B×1×H×W in [0, 1], the scale that `epsilon` is meant for.
        image: B×1×H×W, what is filtered.
        radius: radius of the window, in pixels.
        epsilon: windows whose variance is far below this value are smoothed.

    Returns:
        B×1×H×W; it may leave the image's range.
    """
    guides, images = guide.double(), image.double()  # a variance may be far below 1e-6
    mean_guide, mean_image = box_mean(guides, radius), box_mean(images, radius)
    variance = box_mean(guides * guides, radius) - mean_guide.square()
    covariance = box_mean(guides * images, radius) - mean_guide * mean_image
    slope = covariance / (variance + epsilon)
    intercept = mean_image - slope * mean_guide
    filtered = box_mean(slope, radius) * guides + box_mean(intercept, radius)
    return filtered.to(image.dtype)
