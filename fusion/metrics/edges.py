"""Qabf and Nabf: edges kept from the sources, and edges that no source has."""

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.metrics.triplet import Triplet, sobel


def edge_preservation(images: Triplet) -> Tensor:
    """Qabf: edge strength and direction kept, weighted by edge strength, 0..1.

    Xydeas and Petrovic 2000, with the published evaluator's tie rule: where both strengths are
    equal, the strength itself stands for their ratio, and a direction without horizontal response
    is π/2 always. Undefined where no source has an edge.
    """
    horizontal, vertical = images.edges
    strength = _strength(horizontal, vertical)
    angle = _direction(horizontal, vertical).masked_fill(horizontal == 0, torch.pi / 2)
    fused, sources = strength[0], strength[1:]
    ratio = torch.minimum(fused, sources) / torch.maximum(fused, sources)
    ratio = torch.where(fused == sources, fused, ratio)
    alignment = 1 - (angle[1:] - angle[0]).abs() / (torch.pi / 2)
    kept = (
        0.9994 * 0.9879 * torch.sigmoid(15 * (ratio - 0.5)) * torch.sigmoid(22 * (alignment - 0.8))
    )
    return _total(kept * sources) / _total(sources)


def fusion_artifacts(images: Triplet) -> Tensor:
    """Nabf: share of edge information that fusion added and no source has, 0..1; lower is better.

    Petrovic and Xydeas 2005 as modified by Shreyamsha Kumar 2013: Sobel over 8, borders reflected,
    weights g^1.5 for strengths of 2 and more (0.001 below).
    """
    padded = F.pad(images.planes / 8, (1, 1, 1, 1), mode="reflect")
    horizontal, vertical = sobel(padded)
    strength = _strength(horizontal, vertical)
    angle = _direction(horizontal, vertical)
    fused, sources = strength[0], strength[1:]
    ratio = torch.minimum(fused, sources) / torch.maximum(fused, sources)
    ratio = ratio.masked_fill((fused == 0) | (sources == 0), 0)
    alignment = ((angle[1:] - angle[0]).abs() - torch.pi / 2).abs() / (torch.pi / 2)
    preserved = (
        0.9999 * 0.9995 * torch.sigmoid(19 * (ratio - 0.5)) * torch.sigmoid(22 * (alignment - 0.5))
    )
    weights = torch.where(sources >= 2, sources**1.5, 0.001)
    added = (fused > sources).all(0)
    return _total(added * (1 - preserved.sqrt()) * weights) / _total(weights)


def _strength(horizontal: Tensor, vertical: Tensor) -> Tensor:
    """Exact ties matter: squares of whole numbers and correctly rounded roots keep them."""
    return (horizontal**2 + vertical**2).sqrt()


def _direction(horizontal: Tensor, vertical: Tensor) -> Tensor:
    """−π/2..π/2 with y upwards; ±π/2 where only the vertical response is non-zero, 0 for none."""
    return torch.atan(-vertical / horizontal).nan_to_num(0)


def _total(values: Tensor) -> Tensor:
    """Float64 sums of 2×B×H×W over both sources and all pixels."""
    return values.sum(3).sum((0, 2), dtype=torch.float64)
