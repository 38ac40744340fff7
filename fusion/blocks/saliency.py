"""How much a gray level stands out in an image."""

import torch
from torch import Tensor


def histogram_contrast(images: Tensor) -> Tensor:
    """Saliency of every pixel: the mean distance of its gray level to all others (LC).

    V(g) = Σ_j histogram(j)·|g − j| over 256 levels, divided by its maximum over the levels that
    occur (Zhai & Shah 2006).

    Args:
        images: B×1×H×W in [0, 1].

    Returns:
        B×1×H×W in [0, 1]; 0 everywhere in a flat image. No gradient flows back.
    """
    levels = (images.detach() * 255).round().long().clamp(0, 255).flatten(1)
    counts = torch.zeros(len(levels), 256, device=images.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels, dtype=counts.dtype))
    gray = torch.arange(256.0, device=images.device)
    contrast = counts @ (gray - gray.unsqueeze(1)).abs()
    values = contrast.gather(1, levels)
    highest = values.amax(1, keepdim=True).clamp_min(torch.finfo(values.dtype).tiny)
    return (values / highest).view_as(images)


def saliency_target(infrared: Tensor, visible: Tensor) -> Tensor:
    """w·I + (1 − w)·V with w = ½ + ½ (saliency of I − saliency of V), all B×1×H×W in [0, 1]."""
    weight = (1 + histogram_contrast(infrared) - histogram_contrast(visible)) / 2
    return weight * infrared + (1 - weight) * visible
