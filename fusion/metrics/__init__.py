"""Fusion metrics by the definitions of CDDFuse's published evaluator, which the tables use."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from fusion.metrics import (
    agreement,
    edges,
    features,
    fidelity,
    information,
    perception,
    statistical,
    structure,
)
from fusion.metrics.triplet import Triplet

PROTOCOL = "cddfuse"
"""Names the set of definitions; written beside every number."""


@dataclass(frozen=True)
class FusionMetric:
    """function: one float64 value an image, NaN where undefined."""

    function: Callable[[Triplet], Tensor]
    higher_is_better: bool = True


METRICS = {
    "EN": FusionMetric(information.entropy),
    "SD": FusionMetric(statistical.standard_deviation),
    "SF": FusionMetric(statistical.spatial_frequency),
    "AG": FusionMetric(statistical.average_gradient),
    "MI": FusionMetric(information.mutual_information),
    "MSE": FusionMetric(agreement.mean_squared_error, higher_is_better=False),
    "CC": FusionMetric(agreement.correlation_coefficient),
    "PSNR": FusionMetric(agreement.peak_signal_to_noise_ratio),
    "SCD": FusionMetric(agreement.sum_of_correlations_of_differences),
    "VIF": FusionMetric(fidelity.visual_information_fidelity),
    "Qabf": FusionMetric(edges.edge_preservation),
    "SSIM": FusionMetric(structure.structural_similarity),
    "MS-SSIM": FusionMetric(structure.multiscale_structural_similarity),
    "Nabf": FusionMetric(edges.fusion_artifacts, higher_is_better=False),
    "FMI-pixel": FusionMetric(features.pixel_mutual_information),
    "FMI-gradient": FusionMetric(features.gradient_mutual_information),
    "Qcb": FusionMetric(perception.contrast_preservation),
    "Qcv": FusionMetric(perception.perceived_difference, higher_is_better=False),
}

CORE = tuple(METRICS)[:12]
"""The published evaluator's twelve; the rest are what surveys add."""


def compute(
    fused: Tensor, infrared: Tensor, visible: Tensor, names: Iterable[str] = CORE
) -> dict[str, Tensor]:
    """The named metrics of a batch of equally large images; what they share is computed once.

    Args:
        fused, infrared, visible: B×1×H×W grey levels 0..255, whole numbers.

    Returns:
        name → B float64, NaN where undefined.

    Raises:
        KeyError: a name is not in `METRICS`.
        ValueError: as `Triplet`.
    """
    images = Triplet(fused, infrared, visible)
    return {name: METRICS[name].function(images) for name in names}
