"""Means of measured images, with intervals."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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

    All metrics are resampled by the same draws of images, so an interval does not depend on which
    other metrics are measured.

    Args:
        frame: result of `fusion.metrics.folders.evaluate_pairs`.
        resamples: number of bootstrap draws.
    """
    names = frame.columns.drop(["name", RANGE], errors="ignore")
    counts = _draws(len(frame), resamples)
    return FusionSummary(
        protocol=PROTOCOL,
        images=len(frame),
        metrics={name: _summary(frame[name].to_numpy(np.float64), counts) for name in names},
        stretching=_stretching(frame),
    )


def _draws(images: int, draws: int) -> NDArray[np.float64]:
    """How often each image is in each draw with replacement: draws×N."""
    random = np.random.default_rng(0)
    return random.multinomial(images, np.full(images, 1 / images), draws).astype(np.float64)


def _summary(values: NDArray[np.float64], counts: NDArray[np.float64]) -> MetricSummary:
    defined = ~np.isnan(values)
    undefined = int((~defined).sum())
    if not defined.any():
        return MetricSummary(mean=None, low=None, high=None, undefined=undefined)
    drawn = counts[:, defined]
    drawn = drawn[drawn.any(1)]  # few defined values may all be missing from a draw
    means = drawn @ values[defined] / drawn.sum(1)
    low, high = np.quantile(means, [0.025, 0.975]).tolist()
    mean = values[defined].mean().item()
    return MetricSummary(mean=mean, low=low, high=high, undefined=undefined)


def _stretching(frame: pd.DataFrame) -> dict[str, float]:
    gain = (255 / frame[RANGE]).where(frame[RANGE] > 0, 1)  # a constant image stays as it is
    added = {}
    for name in frame.columns.intersection(_SCALED):
        mean = frame[name].mean()
        if mean > 0:
            added[name] = float((frame[name] * gain).mean() / mean - 1)
    return added
