"""All metrics by name, and several of them at once."""

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
from fusion.metrics.names import CORE, LOWER_IS_BETTER, METRIC_NAMES
from fusion.metrics.triplet import Triplet


@dataclass(frozen=True)
class FusionMetric:
    """A metric of a batch.

    function: one float64 value an image, NaN where undefined.
    """

    function: Callable[[Triplet], Tensor]
    higher_is_better: bool = True


_FUNCTIONS: dict[str, Callable[[Triplet], Tensor]] = {
    "EN": information.entropy,
    "SD": statistical.standard_deviation,
    "SF": statistical.spatial_frequency,
    "AG": statistical.average_gradient,
    "MI": information.mutual_information,
    "MSE": agreement.mean_squared_error,
    "CC": agreement.correlation_coefficient,
    "PSNR": agreement.peak_signal_to_noise_ratio,
    "SCD": agreement.sum_of_correlations_of_differences,
    "VIF": fidelity.visual_information_fidelity,
    "Qabf": edges.edge_preservation,
    "SSIM": structure.structural_similarity,
    "MS-SSIM": structure.multiscale_structural_similarity,
    "Nabf": edges.fusion_artifacts,
    "FMI-pixel": features.pixel_mutual_information,
    "FMI-gradient": features.gradient_mutual_information,
    "Qcb": perception.contrast_preservation,
    "Qcv": perception.perceived_difference,
}

METRICS = {
    name: FusionMetric(_FUNCTIONS[name], name not in LOWER_IS_BETTER) for name in METRIC_NAMES
}
"""Name → metric, in the order of `METRIC_NAMES`."""


def compute(
    fused: Tensor, infrared: Tensor, visible: Tensor, names: Iterable[str] = CORE
) -> dict[str, Tensor]:
    """Measure a batch of equally large images; what several metrics share is computed once.

    Args:
        fused, infrared, visible: B×1×H×W gray levels 0..255, whole numbers of any dtype.
        names: of `METRICS`.

    Returns:
        name → B float64, NaN where undefined.

    Raises:
        KeyError: a name is not in `METRICS`.
        ValueError: as `Triplet`.

    >>> fused = torch.tensor([[0, 255], [255, 0]]).view(1, 1, 2, 2)
    >>> compute(fused, fused, 255 - fused, ["EN", "MSE"])
    {'EN': tensor([1.], dtype=torch.float64), 'MSE': tensor([32512.5000], dtype=torch.float64)}
    """
    images = Triplet(fused, infrared, visible)
    return {name: METRICS[name].function(images) for name in names}
