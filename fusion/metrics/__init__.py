"""Fusion metrics by the definitions of CDDFuse's published evaluator, which the tables use."""

from typing import TYPE_CHECKING

from fusion.metrics.names import CORE, LOWER_IS_BETTER, METRIC_NAMES, PROTOCOL

if TYPE_CHECKING:
    from fusion.metrics.registry import METRICS, FusionMetric, compute

__all__ = [
    "CORE",
    "LOWER_IS_BETTER",
    "METRICS",
    "METRIC_NAMES",
    "PROTOCOL",
    "FusionMetric",
    "compute",
]


def __getattr__(name: str) -> object:
    # lazy: names and directions must not pay for torch
    if name in __all__:
        from fusion.metrics import registry

        return getattr(registry, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
