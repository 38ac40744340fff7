"""FMI: mutual information of local features (Haghighat et al. 2011; Haghighat and Razian 2014).

In a window the features themselves, scaled to 0..1 and to a sum of one, are taken as marginal
distributions; the joint one lies between independence and the Fréchet bound of the correlation's
sign, as far as the correlation says.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.metrics.triplet import Triplet

WINDOW = 3
CHUNK = 1 << 15
"""Windows per chunk; limits memory to some tens of MiB."""


def pixel_mutual_information(images: Triplet) -> Tensor:
    """FMI of the pixels themselves, 0..1."""
    return _feature_mutual_information(images.planes)


def gradient_mutual_information(images: Triplet) -> Tensor:
    """FMI of the horizontal gradient (central differences), 0..1."""
    return _feature_mutual_information(torch.gradient(images.planes, dim=3)[0])


def _feature_mutual_information(features: Tensor) -> Tensor:
    """Mean over windows and both sources; 3×B×H×W float32 in, B float64 out."""
    totals = []
    for image in features.unbind(1):
        patches = F.unfold(image[:, None], WINDOW).double()
        order = torch.arange(WINDOW**2, device=image.device).view(WINDOW, WINDOW).T.flatten()
        fused, *sources = patches[:, order].mT
        values = [
            _normalized_information(source_chunk, fused_chunk).sum()
            for source in sources
            for source_chunk, fused_chunk in zip(
                source.split(CHUNK), fused.split(CHUNK), strict=True
            )
        ]
        totals.append(torch.stack(values).sum() / (2 * len(fused)))
    return torch.stack(totals)


def _normalized_information(source: Tensor, fused: Tensor) -> Tensor:
    """2 I / (H + H) of windows given as N×9; 1 where both are equal, else 0 without entropy."""
    p, q = _distribution(source), _distribution(fused)
    joint = _joint(p, q)
    entropies = _entropy(p) + _entropy(q)
    information = entropies - _entropy(joint.flatten(1))
    shared = (2 * information / entropies).masked_fill(entropies == 0, 0)
    return shared.masked_fill((source == fused).all(1), 1)


def _distribution(windows: Tensor) -> Tensor:
    low, high = windows.amin(1, keepdim=True), windows.amax(1, keepdim=True)
    scaled = torch.where(high > low, (windows - low) / (high - low), torch.ones_like(windows))
    return scaled / scaled.sum(1, keepdim=True)


def _joint(p: Tensor, q: Tensor) -> Tensor:
    """N×9×9 joint distributions by Nelsen's interpolation."""
    correlation = _correlation(p, q)
    cumulated_p, cumulated_q = p.cumsum(1)[:, :, None], q.cumsum(1)[:, None, :]
    independent = cumulated_p * cumulated_q
    bound = torch.where(
        correlation[:, None, None] >= 0,
        torch.minimum(cumulated_p, cumulated_q),
        (cumulated_p + cumulated_q - 1).clamp_min(0),
    )
    reach = (bound - independent).sum((1, 2)) / (_deviation(p) * _deviation(q))
    share = torch.where(correlation == 0, correlation, correlation / reach)
    share = share.nan_to_num(0, 0, 0)[:, None, None]
    extreme = F.pad(bound, (1, 0, 1, 0)).diff(dim=1).diff(dim=2)
    return share * extreme + (1 - share) * p[:, :, None] * q[:, None, :]


def _correlation(p: Tensor, q: Tensor) -> Tensor:
    """Pearson correlation over the window; 0 where a window is flat."""
    flat = (p == p[:, :1]).all(1) | (q == q[:, :1]).all(1)
    p, q = p - p.mean(1, keepdim=True), q - q.mean(1, keepdim=True)
    correlation = (p * q).sum(1) / ((p * p).sum(1) * (q * q).sum(1)).sqrt()
    return correlation.masked_fill(flat, 0)


def _deviation(distribution: Tensor) -> Tensor:
    """Standard deviation of the position 1..9 under the distribution."""
    positions = torch.arange(1, WINDOW**2 + 1, dtype=distribution.dtype, device=distribution.device)
    mean = distribution @ positions
    return (distribution @ positions**2 - mean**2).clamp_min(0).sqrt()


def _entropy(probabilities: Tensor) -> Tensor:
    """Bits; 0 log 0 = 0. Interpolated joints can be a little below 0 and count by magnitude."""
    return -(probabilities * probabilities.abs().clamp_min(1e-300).log2()).sum(1)
