"""Means of measured images, with intervals."""

import numpy as np
import pandas as pd

from fusion.core.config import Config
from fusion.metrics.names import PROTOCOL

RANGE = "range"
"""Column of a fused image's maximum minus its minimum."""

_SCALED = ["SD", "SF", "AG"]
"""Metrics that grow with the range of gray levels."""


class MetricSummary(Config):
    """One metric over a set of images.

    mean: over the images that have a value; None if none has.
    low, high: its 95 % bootstrap interval.
    undefined: images without a value.
    """

    mean: float | None
    low: float | None
    high: float | None
    undefined: int


class FusionSummary(Config):
    """All metrics over a set of images.

    protocol: the set of definitions.
    images: how many there are.
    metrics: name → summary.
    stretching: name → relative increase of the mean of SD, SF and AG if each fused image were
        stretched to 0..255.
    """

    protocol: str
    images: int
    metrics: dict[str, MetricSummary]
    stretching: dict[str, float]


def summarize(frame: pd.DataFrame, resamples: int = 2000) -> FusionSummary:
    """Means over the images with 95 % bootstrap intervals; undefined values left out and counted.

    Args:
        frame: result of `fusion.metrics.folders.evaluate_pairs`.
        resamples: number of bootstrap draws.
    """
    random = np.random.default_rng(0)
    names = frame.columns.drop(["name", RANGE], errors="ignore")
    return FusionSummary(
        protocol=PROTOCOL,
        images=len(frame),
        metrics={name: _summary(frame[name], random, resamples) for name in names},
        stretching=_stretching(frame),
    )


def _summary(column: "pd.Series[float]", random: np.random.Generator, draws: int) -> MetricSummary:
    values = column.dropna().to_numpy()
    count, undefined = len(values), len(column) - len(values)
    if not count:
        return MetricSummary(mean=None, low=None, high=None, undefined=undefined)
    means = values[random.integers(0, count, (draws, count))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975]).tolist()
    return MetricSummary(mean=values.mean().item(), low=low, high=high, undefined=undefined)


def _stretching(frame: pd.DataFrame) -> dict[str, float]:
    gain = 255 / frame[RANGE].where(frame[RANGE] > 0)
    added = {}
    for name in frame.columns.intersection(_SCALED):
        mean = frame[name].mean()
        if mean > 0:
            added[name] = float((frame[name] * gain).mean() / mean - 1)
    return added
