"""Qcb and Qcv: fusion judged through the contrast sensitivity of the human eye."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.metrics.triplet import Triplet, sobel
from fusion.metrics.windows import local_mean

BLOCK = 16
SALIENCY = 5


def contrast_preservation(images: Triplet) -> Tensor:
    """Qcb: preservation of masked contrast, weighted by saliency, 0..1 (Chen and Blum 2009).

    Images are stretched to 0..255 and rounded, filtered by a difference-of-Gaussians contrast
    sensitivity, and compared by the ratio of Gaussian means (deviations 2 and 4, 31×31 taps).
    """
    filtered = _filter(_stretch(images), 30, _difference_of_gaussians)
    padded = F.pad(filtered, (15, 15, 15, 15))
    near, far = (_gaussian_sum(padded, deviation) for deviation in (2, 4))
    contrast = (near / far - 1).abs()
    masked = contrast**3 / (contrast**2 + 1e-4)
    fused, sources = masked[0], masked[1:]
    kept = torch.minimum(fused, sources) / torch.maximum(fused, sources)
    saliency = sources**2 / (sources**2).sum(0)
    return (saliency * kept).sum(0).mean((1, 2))


def perceived_difference(images: Triplet) -> Tensor:
    """Qcv: perceived error of salient regions; lower is better (Chen and Varshney 2007).

    Images are stretched to 0..255 and rounded; the differences are filtered by Mannos and
    Sakrison's contrast sensitivity; 16×16 blocks weigh by their summed gradient to the power 5.
    """
    planes = _stretch(images)
    horizontal, vertical = sobel(F.pad(planes[1:], (1, 1, 1, 1)))
    saliency = _blocks(torch.hypot(horizontal, vertical) ** SALIENCY)
    error = _blocks(_filter(planes[1:] - planes[0], 8, _mannos_sakrison).square()) / BLOCK**2
    return (saliency * error).sum((0, 2, 3)) / saliency.sum((0, 2, 3))


def _stretch(images: Triplet) -> Tensor:
    """Float64 3×B×H×W, every image from its minimum..maximum to 0..255, rounded."""
    planes = images.planes.double()
    low, high = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    return ((planes - low) / (high - low) * 255).round()


def _filter(planes: Tensor, divisor: int, sensitivity: Callable[[Tensor], Tensor]) -> Tensor:
    """Multiply the spectrum by a radial sensitivity; a frequency of 1 is the Nyquist limit."""
    height, width = planes.shape[-2:]
    options = {"dtype": planes.dtype, "device": planes.device}
    vertical = torch.fft.fftfreq(height, **options) * 2 * height / divisor
    horizontal = torch.fft.rfftfreq(width, **options) * 2 * width / divisor
    radius = torch.hypot(vertical[:, None], horizontal)
    spectrum = torch.fft.rfft2(planes) * sensitivity(radius)
    filtered: Tensor = torch.fft.irfft2(spectrum, s=(height, width))
    return filtered


def _difference_of_gaussians(radius: Tensor) -> Tensor:
    return torch.exp(-((radius / 15.3870) ** 2)) - 0.7622 * torch.exp(-((radius / 1.3456) ** 2))


def _mannos_sakrison(radius: Tensor) -> Tensor:
    return 2.6 * (0.0192 + 0.144 * radius) * torch.exp(-((0.144 * radius) ** 1.1))


def _gaussian_sum(padded: Tensor, deviation: float) -> Tensor:
    """Sums weighted by a unit-integral Gaussian cut to 31 taps (not renormalized, as published)."""
    offsets = torch.arange(-15, 16, dtype=padded.dtype, device=padded.device)
    window = torch.exp(-(offsets**2) / (2 * deviation**2)) / ((2 * torch.pi) ** 0.5 * deviation)
    return local_mean(padded, window)


def _blocks(values: Tensor) -> Tensor:
    """Sums over 16×16 blocks; blocks at the border are filled up with zeros."""
    padded = F.pad(values, (0, -values.shape[-1] % BLOCK, 0, -values.shape[-2] % BLOCK))
    sums: Tensor = padded.unflatten(-1, (-1, BLOCK)).unflatten(-3, (-1, BLOCK)).sum((-1, -3))
    return sums
