"""EN and MI: information in the fused image, and how much of it comes from the sources."""

import torch
from torch import Tensor

from fusion.metrics.triplet import Triplet


def entropy(images: Triplet) -> Tensor:
    """EN: Shannon entropy of the 256-bin histogram, in bits (0..8)."""
    return _entropy(images.fused_histogram) / _LN2


def mutual_information(images: Triplet) -> Tensor:
    """MI: I(fused; infrared) + I(fused; visible), one bin a gray level, in nats."""
    joint = images.joint_histograms
    marginals = _entropy(joint.sum(3)) + _entropy(joint.sum(2))
    return (marginals - _entropy(joint.flatten(2))).clamp_min(0).sum(0)


_LN2 = 0.6931471805599453


def _entropy(counts: Tensor) -> Tensor:
    """Of the last axis, in nats; levels and pairs of levels that never occur are skipped."""
    values = [_of_present(row[row > 0]) for row in counts.flatten(0, -2)]
    return torch.stack(values).view(counts.shape[:-1])


def _of_present(counts: Tensor) -> Tensor:
    probabilities = counts / counts.sum()
    return -(probabilities * probabilities.log()).sum()
