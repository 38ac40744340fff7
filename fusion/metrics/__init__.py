"""Fusion metrics by the definitions of CDDFuse's published evaluator, which the tables use.

All take B×1×H×W grey levels 0..255 and give B float64.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from fusion.metrics.fidelity import visual_information_fidelity
from fusion.metrics.statistical import average_gradient, spatial_frequency, standard_deviation

PROTOCOL = "cddfuse"

METRICS: dict[str, Callable[..., Tensor]] = {
    "SD": lambda fused, *_: standard_deviation(fused),
    "SF": lambda fused, *_: spatial_frequency(fused),
    "AG": lambda fused, *_: average_gradient(fused),
    "VIF": visual_information_fidelity,
}
"""(fused, infrared, visible) -> one value an image; higher is better."""


def compute(
    fused: Tensor, infrared: Tensor, visible: Tensor, names: Sequence[str] = tuple(METRICS)
) -> dict[str, Tensor]:
    """The named metrics of a batch of equally large images.

    Raises:
        KeyError: a name is not in `METRICS`.
    """
    return {name: METRICS[name](fused, infrared, visible) for name in names}
