"""Fusion metrics by the definitions of CDDFuse's published evaluator, which the tables use.

One function per metric (`fusion.metrics.functional`), all metrics by name (`METRICS`), several at
once (`compute`), and names and directions without importing torch (`fusion.metrics.names`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from fusion.metrics.names import CORE, LOWER_IS_BETTER, METRIC_NAMES, PROTOCOL

if TYPE_CHECKING:
    from fusion.metrics.functional import (
        average_gradient,
        contrast_preservation,
        correlation_coefficient,
        edge_preservation,
        entropy,
        fusion_artifacts,
        gradient_feature_mutual_information,
        mean_squared_error,
        multiscale_structural_similarity,
        mutual_information,
        peak_signal_to_noise_ratio,
        perceived_difference,
        pixel_feature_mutual_information,
        spatial_frequency,
        standard_deviation,
        structural_similarity,
        sum_of_correlations_of_differences,
        visual_information_fidelity,
    )
    from fusion.metrics.registry import METRICS, FusionMetric, compute

__all__ = [
    "CORE",
    "LOWER_IS_BETTER",
    "METRICS",
    "METRIC_NAMES",
    "PROTOCOL",
    "FusionMetric",
    "average_gradient",
    "compute",
    "contrast_preservation",
    "correlation_coefficient",
    "edge_preservation",
    "entropy",
    "fusion_artifacts",
    "gradient_feature_mutual_information",
    "mean_squared_error",
    "multiscale_structural_similarity",
    "mutual_information",
    "peak_signal_to_noise_ratio",
    "perceived_difference",
    "pixel_feature_mutual_information",
    "spatial_frequency",
    "standard_deviation",
    "structural_similarity",
    "sum_of_correlations_of_differences",
    "visual_information_fidelity",
]

_REGISTRY = {"METRICS", "FusionMetric", "compute"}


def __getattr__(name: str) -> object:
    # lazy: names and directions must not pay for torch
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "registry" if name in _REGISTRY else "functional"
    return getattr(import_module(f"{__name__}.{module}"), name)
