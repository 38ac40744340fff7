"""Qabf and Nabf: edges kept from the sources, and edges that no source has."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.metrics.triplet import Triplet, sobel

STRIP = {"cpu": 1 << 15, "cuda": 1 << 24}
"""Pixels at a time: what a CPU's caches hold, or what keeps a GPU busy."""


def edge_preservation(images: Triplet) -> Tensor:
    """Qabf: edge strength and direction kept, weighted by edge strength, 0..1.

    Xydeas and Petrovic 2000, with the published evaluator's tie rule: where both strengths are
    equal, the strength itself stands for their ratio, and a direction without horizontal response
    is π/2 always. Undefined where no source has an edge.
    """
    kept = total = torch.zeros((), dtype=torch.float64, device=images.planes.device)
    for horizontal, vertical in _edges(F.pad(images.planes, (1, 1, 1, 1))):
        strength = _strength(horizontal, vertical)
        angle = (vertical / horizontal).atan_().masked_fill_(horizontal == 0, -torch.pi / 2)
        fused, sources = strength[:1], strength[1:]
        ratio = torch.minimum(fused, sources).div_(torch.maximum(fused, sources))
        ratio = torch.where(fused == sources, fused, ratio)
        turn = (angle[1:] - angle[:1]).abs_()
        quality = ratio.mul_(15).sub_(15 * 0.5).sigmoid_()
        quality *= turn.mul_(-22 / (torch.pi / 2)).add_(22 * (1 - 0.8)).sigmoid_()
        kept = kept + _total(quality.mul_(sources))
        total = total + _total(sources)
    return 0.9994 * 0.9879 * kept / total


def fusion_artifacts(images: Triplet) -> Tensor:
    """Nabf: share of edge information that fusion added and no source has, 0..1; lower is better.

    Petrovic and Xydeas 2005 as modified by Shreyamsha Kumar 2013: Sobel over 8, borders reflected,
    weights g^1.5 for strengths of 2 and more (0.001 below).
    """
    lost = total = torch.zeros((), dtype=torch.float64, device=images.planes.device)
    for horizontal, vertical in _edges(F.pad(images.planes / 8, (1, 1, 1, 1), mode="reflect")):
        strength = _strength(horizontal, vertical)
        angle = torch.atan(vertical / horizontal).nan_to_num_(0)
        fused, sources = strength[:1], strength[1:]
        ratio = torch.minimum(fused, sources) / torch.maximum(fused, sources)
        ratio = ratio.masked_fill((fused == 0) | (sources == 0), 0)
        alignment = ((angle[1:] - angle[:1]).abs() - torch.pi / 2).abs() / (torch.pi / 2)
        preserved = 0.9999 * 0.9995 * torch.sigmoid(19 * (ratio - 0.5))
        preserved *= torch.sigmoid(22 * (alignment - 0.5))
        weights = torch.where(sources >= 2, sources**1.5, 0.001)
        added = (fused > sources).all(0)
        lost = lost + _total(added * (1 - preserved.sqrt()) * weights)
        total = total + _total(weights)
    return lost / total


def _edges(padded: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Horizontal and vertical Sobel responses of planes padded by one pixel, strip by strip."""
    height, width = (side - 2 for side in padded.shape[-2:])
    rows = max(8, STRIP[padded.device.type] // (padded.shape[1] * width))
    for start in range(0, height, rows):
        yield sobel(padded[..., start : start + rows + 2, :])


def _strength(horizontal: Tensor, vertical: Tensor) -> Tensor:
    """Exact ties matter: squares of whole numbers and correctly rounded roots keep them."""
    return horizontal.square().addcmul_(vertical, vertical).sqrt_()


def _total(values: Tensor) -> Tensor:
    """Float64 sums of 2×B×H×W over both sources and all pixels."""
    return values.sum(3).sum((0, 2), dtype=torch.float64)
