"""SSIM and MS-SSIM: local structure shared with the sources."""

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.metrics.triplet import Triplet
from fusion.metrics.windows import LocalStatistics, gaussian, local_statistics

WINDOW = 7
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST_SIDE = 11 * 2 ** (len(SCALE_WEIGHTS) - 1)


def structural_similarity(images: Triplet, data_range: float = 255) -> Tensor:
    """SSIM(F, infrared) + SSIM(F, visible), −2..2 (Wang et al. 2004).

    Uniform 7×7 windows, sample covariance, scikit-image's defaults. The published evaluator gave no
    range, and its old library took 2; that variant is `data_range=2`, never the default.
    Undefined where a side is below 7.
    """
    if min(images.shape[1:]) < WINDOW:
        return images.undefined()
    window = images.planes.new_full((WINDOW,), 1 / WINDOW)
    return _means(images.planes, window, data_range, WINDOW**2 / (WINDOW**2 - 1))[0].sum(0)


def multiscale_structural_similarity(images: Triplet) -> Tensor:
    """MS-SSIM: mean of MS-SSIM(F, infrared) and MS-SSIM(F, visible), 0..1 (Wang et al. 2003).

    Five scales, Gaussian 11×11 windows of deviation 1.5, data range 255; a scale with negative
    structure counts as 0. Undefined where a side is below 176.
    """
    if min(images.shape[1:]) < SMALLEST_SIDE:
        return images.undefined()
    planes, similarity = images.planes, torch.ones((), dtype=torch.float64)
    for scale, weight in enumerate(SCALE_WEIGHTS, start=1):
        both, structure = _means(planes, gaussian(11, 1.5, planes), 255, 1)
        means = both if scale == len(SCALE_WEIGHTS) else structure
        similarity = similarity.to(means.device) * means.clamp_min(0) ** weight
        planes = F.avg_pool2d(planes, 2)
    return similarity.mean(0)


def _means(
    planes: Tensor, window: Tensor, data_range: float, sample: float
) -> tuple[Tensor, Tensor]:
    """Mean similarity, and the mean of its structure term alone; 2×B float64 each."""
    totals = torch.zeros(2, 2, planes.shape[1], dtype=torch.float64, device=planes.device)
    for local in local_statistics(planes, window):
        luminance, structure = _similarity(local, data_range, sample)
        totals[1, :, local.images] += local.total(structure)
        totals[0, :, local.images] += local.total(luminance.mul_(structure))
    height, width = (side - window.numel() + 1 for side in planes.shape[2:])
    both, structure = (totals / (height * width)).unbind()
    return both, structure


def _similarity(local: LocalStatistics, data_range: float, sample: float) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure terms of the fused image with either source.

    Args:
        sample: factor from population to sample covariance.
    """
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean = local.mean
    luminance = (mean[:, :1] * mean[:, 1:]).mul_(2).add_(c1)
    squares = mean.square_()
    luminance /= (squares[:, :1] + squares[:, 1:]).add_(c1)
    variances = (local.variance[:, :1] + local.variance[:, 1:]).mul_(sample).add_(c2)
    return luminance, local.covariance.mul_(2 * sample).add_(c2).div_(variances)
