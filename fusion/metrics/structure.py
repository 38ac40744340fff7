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
    local = local_statistics(images.planes, window)
    luminance, structure = _similarity(local, data_range, WINDOW**2 / (WINDOW**2 - 1))
    return (local.total(luminance * structure) / local.valid.sum()).sum(0)


def multiscale_structural_similarity(images: Triplet) -> Tensor:
    """MS-SSIM: mean of MS-SSIM(F, infrared) and MS-SSIM(F, visible), 0..1 (Wang et al. 2003).

    Five scales, Gaussian 11×11 windows of deviation 1.5, data range 255; a scale with negative
    structure counts as 0. Undefined where a side is below 176.
    """
    if min(images.shape[1:]) < SMALLEST_SIDE:
        return images.undefined()
    planes, similarity = images.planes, torch.ones((), dtype=torch.float64)
    for scale, weight in enumerate(SCALE_WEIGHTS, start=1):
        local = local_statistics(planes, gaussian(11, 1.5, planes))
        luminance, structure = _similarity(local, 255, 1)
        values = luminance * structure if scale == len(SCALE_WEIGHTS) else structure
        means = local.total(values) / local.valid.sum()
        similarity = similarity.to(means.device) * means.clamp_min(0) ** weight
        planes = F.avg_pool2d(planes, 2)
    return similarity.mean(0)


def _similarity(local: LocalStatistics, data_range: float, sample: float) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure terms of the fused image with either source.

    Args:
        sample: factor from population to sample covariance.
    """
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    fused, sources = local.mean[:1], local.mean[1:]
    luminance = (2 * fused * sources + c1) / (fused**2 + sources**2 + c1)
    variances = sample * (local.variance[:1] + local.variance[1:])
    return luminance, (2 * sample * local.covariance + c2) / (variances + c2)
