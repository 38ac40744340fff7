"""MSE, PSNR, CC and SCD: how the fused image agrees with its sources, from shared moments."""

import torch
from torch import Tensor

from fusion.metrics.triplet import LEVELS, Triplet

_FUSED, _INFRARED, _VISIBLE = range(3)


def mean_squared_error(images: Triplet) -> Tensor:
    """MSE: mean of the squared errors against infrared and against visible, 0..65025."""
    moments = images.moments
    errors = []
    for source in (_INFRARED, _VISIBLE):
        bias = moments.mean[:, _FUSED] - moments.mean[:, source]
        errors.append(_variance_of_difference(moments.covariance, _FUSED, source) + bias.square())
    return (errors[0] + errors[1]) / 2


def peak_signal_to_noise_ratio(images: Triplet) -> Tensor:
    """PSNR: 10 log10(max(F)² / MSE) in dB.

    Undefined where the fused image equals both sources, or is black.

    The peak is the fused image's own maximum, as published, not 255.
    """
    peak = images.levels[_FUSED].flatten(1).amax(1).double()
    error = mean_squared_error(images)
    ratio = 10 * torch.log10(peak.square() / error)
    return ratio.masked_fill((error == 0) | (peak == 0), torch.nan)


def correlation_coefficient(images: Triplet) -> Tensor:
    """CC: mean of the Pearson correlations of the fused image with both sources, −1..1."""
    covariance = images.moments.covariance
    spread = _variances(covariance)
    infrared, visible = (
        covariance[:, _FUSED, source] / (spread[:, _FUSED] * spread[:, source]).sqrt()
        for source in (_INFRARED, _VISIBLE)
    )
    return (infrared + visible) / 2


def sum_of_correlations_of_differences(images: Triplet) -> Tensor:
    """SCD: r(infrared, F − visible) + r(visible, F − infrared), −2..2 (Aslantas and Bendes 2015).

    Undefined where the fused image is a source plus a constant.
    """
    covariance = images.moments.covariance
    spread = _variances(covariance)
    total = torch.zeros_like(spread[:, 0])
    for source, other in ((_INFRARED, _VISIBLE), (_VISIBLE, _INFRARED)):
        shared = covariance[:, source, _FUSED] - covariance[:, source, other]
        rest = _variance_of_difference(covariance, _FUSED, other)
        correlation = shared / (spread[:, source] * rest).sqrt()
        total = total + correlation.masked_fill(rest == 0, torch.nan)
    return total


_EXACT = LEVELS**-4
"""Below this a variance of whole gray levels is rounding error: it is zero."""


def _variances(covariance: Tensor) -> Tensor:
    diagonal = covariance.diagonal(dim1=1, dim2=2)
    return diagonal.masked_fill(diagonal < _EXACT, torch.nan)


def _variance_of_difference(covariance: Tensor, first: int, second: int) -> Tensor:
    variance = (
        covariance[:, first, first]
        + covariance[:, second, second]
        - 2 * covariance[:, first, second]
    )
    return variance.masked_fill(variance < _EXACT, 0)
