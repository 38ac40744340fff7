"""VIF: visual information fidelity in the pixel domain (Sheikh and Bovik 2006, `vifp`)."""

import torch
from torch import Tensor

from fusion.metrics.triplet import Triplet
from fusion.metrics.windows import LocalStatistics, gaussian, local_mean, local_statistics

NOISE = 2.0
EPSILON = 1e-10
SMALLEST_SIDE = 41
SCALES = 4


def visual_information_fidelity(images: Triplet) -> Tensor:
    """VIF(infrared → fused) + VIF(visible → fused), about 0..2.

    Undefined where an image is too small for four scales (a side below 41).
    """
    if min(images.shape[1:]) < SMALLEST_SIDE:
        return images.undefined()
    planes = images.planes
    gained = carried = planes.new_zeros((), dtype=torch.float64)
    for scale in range(SCALES):
        size = 2 ** (SCALES - scale) + 1
        window = gaussian(size, size / 5, planes)
        if scale > 0:
            planes = local_mean(planes, window, stride=2)
        local = local_statistics(planes, window)
        signal, noise = _channel(local)
        gained = gained + local.total(torch.log10(1 + signal / (noise + NOISE)))
        carried = carried + local.total(torch.log10(1 + local.variance[1:] / NOISE))
    ratio = gained / carried
    return ratio.masked_fill(carried == 0, 1).sum(0)


def _channel(local: LocalStatistics) -> tuple[Tensor, Tensor]:
    """Variances of the two parts of fused = gain · source + noise; 2×B×… each."""
    fused, sources = local.variance[:1], local.variance[1:]
    gain = (local.covariance / (sources + EPSILON)).clamp_min(0)
    gain = gain.masked_fill((sources < EPSILON) | (fused < EPSILON), 0)
    noise = (fused - gain * local.covariance).clamp_min(EPSILON)
    return gain.square() * sources, noise
