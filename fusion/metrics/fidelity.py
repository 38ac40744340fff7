"""VIF: visual information fidelity in the pixel domain (Sheikh and Bovik 2006, `vifp`)."""

import torch
from torch import Tensor
from torch.nn import functional as F

NOISE = 2.0
EPSILON = 1e-10
SMALLEST_SIDE = 41


def visual_information_fidelity(fused: Tensor, infrared: Tensor, visible: Tensor) -> Tensor:
    """VIF(infrared → fused) + VIF(visible → fused).

    Args:
        fused, infrared, visible: B×1×H×W grey levels 0..255.

    Returns:
        B float64, about 0..2; NaN where an image is too small for four scales (a side below 41).
    """
    if min(fused.shape[-2:]) < SMALLEST_SIDE:
        return torch.full((len(fused),), torch.nan, dtype=torch.float64, device=fused.device)
    references = torch.cat([infrared, visible]).double()
    halves = _pixel_domain(references, torch.cat([fused, fused]).double()).chunk(2)
    return halves[0] + halves[1]


def _pixel_domain(reference: Tensor, distorted: Tensor) -> Tensor:
    gained, carried = reference.new_zeros(len(reference)), reference.new_zeros(len(reference))
    for scale in range(1, 5):
        window = _gaussian(2 ** (5 - scale) + 1, reference)
        if scale > 1:
            reference = _blur(reference, window)[..., ::2, ::2]
            distorted = _blur(distorted, window)[..., ::2, ::2]
        gain, residual, variance = _channel(reference, distorted, window)
        gained = gained + torch.log10(1 + gain.square() * variance / (residual + NOISE)).sum(
            (1, 2, 3)
        )
        carried = carried + torch.log10(1 + variance / NOISE).sum((1, 2, 3))
    ratio = gained / carried
    return torch.where(ratio.isnan(), torch.ones_like(ratio), ratio)


def _channel(reference: Tensor, distorted: Tensor, window: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gain, residual variance and source variance of distorted = gain · reference + residual."""
    planes = [reference, distorted, reference**2, distorted**2, reference * distorted]
    means = _blur(torch.cat(planes, dim=1), window)
    mean_r, mean_d, square_r, square_d, product = means.split(1, dim=1)
    variance_r = (square_r - mean_r**2).clamp_min(0)
    variance_d = (square_d - mean_d**2).clamp_min(0)
    covariance = product - mean_r * mean_d
    gain = covariance / (variance_r + EPSILON)
    residual = variance_d - gain * covariance
    flat_r, flat_d = variance_r < EPSILON, variance_d < EPSILON
    gain = gain.masked_fill(flat_r | flat_d, 0)
    residual = torch.where(flat_r, variance_d, residual).masked_fill(flat_d, 0)
    opposed = gain < 0
    residual = torch.where(opposed, variance_d, residual).clamp_min(EPSILON)
    return gain.masked_fill(opposed, 0), residual, variance_r.masked_fill(flat_r, 0)


def _gaussian(size: int, like: Tensor) -> Tensor:
    offsets = torch.arange(size, dtype=like.dtype, device=like.device) - size // 2
    weights = torch.exp(-offsets.square() / (2 * (size / 5) ** 2))
    return weights / weights.sum()


def _blur(planes: Tensor, window: Tensor) -> Tensor:
    flat = planes.flatten(0, 1).unsqueeze(1)
    flat = F.conv2d(F.conv2d(flat, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
    return flat.view(*planes.shape[:2], *flat.shape[-2:])
