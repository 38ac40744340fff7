"""EN and MI: information in the fused image, and how much of it comes from the sources."""

from torch import Tensor

from fusion.metrics.triplet import Triplet


def entropy(images: Triplet) -> Tensor:
    """EN: Shannon entropy of the 256-bin histogram, in bits (0..8)."""
    counts = images.fused_histogram
    return _entropy(counts / counts.sum(1, keepdim=True)) / _LN2


def mutual_information(images: Triplet) -> Tensor:
    """MI: I(fused; infrared) + I(fused; visible), one bin a gray level, in nats."""
    joint = images.joint_histograms
    joint = joint / joint.sum((2, 3), keepdim=True)
    marginals = _entropy(joint.sum(3)) + _entropy(joint.sum(2))
    return (marginals - _entropy(joint.flatten(2))).clamp_min(0).sum(0)


_LN2 = 0.6931471805599453


def _entropy(probabilities: Tensor) -> Tensor:
    """Of the last axis, in nats; 0 log 0 = 0."""
    return -(probabilities * probabilities.clamp_min(1e-300).log()).sum(-1)
