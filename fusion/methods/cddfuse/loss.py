"""CDDFuse's decomposition loss: base features correlate across modalities, details do not."""

import torch
from torch import Tensor

from fusion.methods.cddfuse.encoder import Features


def decomposition(infrared: Features, visible: Features) -> Tensor:
    """CC(D_i, D_v)² / (1.01 + CC(B_i, B_v)): a scalar, small if only the base is shared."""
    detail = correlation(infrared.detail, visible.detail)
    return detail.square() / (1.01 + correlation(infrared.base, visible.base))


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation along the pixels, mean over images and channels: B×C×H×W twice -> scalar.

    Choice: a standard deviation below 1e-4 counts as 1e-4, so that constant features (of a
    black image) have no correlation and no huge gradient.
    """
    x, y = (
        features - features.mean(-1, keepdim=True)
        for features in (first.float().flatten(2), second.float().flatten(2))
    )
    deviations = [
        (torch.linalg.vector_norm(z, dim=-1) / z.shape[-1] ** 0.5).clamp_min(1e-4) for z in (x, y)
    ]
    correlations: Tensor = (x * y).mean(-1) / (deviations[0] * deviations[1])
    return correlations.mean()
