"""VIF: visual information fidelity in the pixel domain (Sheikh and Bovik 2006, `vifp`)."""

import torch
from torch import Tensor
from torch.nn import functional as F

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
    totals = torch.zeros(2, 2, planes.shape[1], dtype=torch.float64, device=planes.device)
    gained, carried = totals.unbind()
    for scale in range(SCALES):
        size = 2 ** (SCALES - scale) + 1
        window = gaussian(size, size / 5, planes)
        if scale > 0:
            planes = local_mean(planes, window, stride=2)
        for local in local_statistics(planes, window):
            gained[:, local.images] += local.total_log10(_gain(local))
            carried[:, local.images] += local.total_log10(local.variance[:, 1:].div_(NOISE).add_(1))
    ratio = gained / carried
    return ratio.masked_fill(carried == 0, 1).sum(0)


def _gain(local: LocalStatistics) -> Tensor:
    """One plus the ratio of signal to noise where fused = gain · source + noise; TILE×2×B×….

    The published code sets the gain to 0 where a variance is below epsilon; so is the signal then.
    """
    variance = F.threshold(local.variance, EPSILON, 0, inplace=True)
    fused, sources = variance[:, :1], variance[:, 1:]
    covariance = local.covariance.clamp_min_(0)
    gain = covariance / (sources + EPSILON)
    noise = torch.addcmul(fused, gain, covariance, value=-1).clamp_min_(EPSILON).add_(NOISE)
    signal = gain.square_().mul_(sources)
    return signal.div_(noise).add_(1)
