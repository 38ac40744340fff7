"""Downstream scores in many draws of test images and training seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detection.matches import Matches, average_precision
from pipelines.report.board import Board
from pipelines.report.bootstrap import Values, draw_images, over_seeds
from pipelines.report.leaderboard import Column
from pipelines.scores.fusion import FusionScores
from pipelines.scores.segmentation import ImageConfusions
from segmentation.confusion import mean_iou

DRAWS = 1000

Tested = TypeVar("Tested", Matches, ImageConfusions)


@dataclass(frozen=True)
class Resampled:
    """One downstream score in every draw, and the fusion metrics of the same images.

    Attributes:
        scores: method -> values, means over the drawn training seeds.
        metrics: fusion metric -> method -> values, means over the drawn images.
        seeds: number of training seeds.
    """

    scores: Mapping[str, Values]
    metrics: Mapping[str, Mapping[str, Values]]
    seeds: int


def resample(board: Board, draws: int = DRAWS) -> dict[Column, Resampled]:
    """Draw the mAP@0.5 and mIoU of every data set.

    Raises:
        ValueError: methods or seeds were not tested on the same images and truth.
    """
    found: dict[Column, Resampled] = {}
    for dataset, rows in board.detection.items():
        matches = {method: [run.matches for run in runs.values()] for method, runs in rows.items()}
        measured = board.fusion.get(dataset, {})
        found[dataset, "mAP@0.5"] = _resampled(matches, map50, measured, draws)
    for dataset, labeled in board.segmentation.items():
        confusions = {
            method: [run.confusions for run in runs.values()] for method, runs in labeled.items()
        }
        runs = [run for method in labeled.values() for run in method.values()]
        score = partial(miou, background=all(run.background_counts for run in runs))
        measured = board.fusion.get(dataset, {})
        found[dataset, "mIoU"] = _resampled(confusions, score, measured, draws)
    return found


def _resampled(
    tested: Mapping[str, Sequence[Tested]],
    score: Callable[[Tested, NDArray[np.int64]], Values],
    measured: Mapping[str, FusionScores],
    draws: int,
) -> Resampled:
    """Draw the runs of every method: method -> one result a seed."""
    runs = [run for seeds in tested.values() for run in seeds]
    if not all(_same_images(run, runs[0]) for run in runs):
        raise ValueError("the methods were not tested on the same images with the same truth")
    counts = draw_images(len(runs[0].stems), draws)
    scores = {
        method: over_seeds(
            np.stack([score(run, counts) for run in seeds], axis=1),
            np.random.default_rng([1, place]),
        )
        for place, (method, seeds) in enumerate(tested.items())
    }
    metrics: dict[str, dict[str, Values]] = {}
    for method, row in measured.items():
        images = row.images.set_index("name").reindex(runs[0].stems)
        for name in row.summary.metrics:
            metrics.setdefault(name, {})[method] = _means(images[name], counts)
    return Resampled(scores, metrics, min(map(len, tested.values())))


def _same_images(run: Matches | ImageConfusions, other: Matches | ImageConfusions) -> bool:
    return run.stems == other.stems and np.array_equal(_truth(run), _truth(other))


def _truth(run: Matches | ImageConfusions) -> NDArray[np.int64]:
    """Objects or pixels of each class in each image."""
    return run.truth if isinstance(run, Matches) else run.matrices.sum(-1)


def _means(values: "pd.Series[float]", counts: NDArray[np.int64]) -> Values:
    """A metric's mean in every draw; images without a value are left out."""
    defined = values.notna().to_numpy()
    known: Values = np.where(defined, values, 0.0)
    return _ratio(counts @ known, counts @ defined)


def map50(matches: Matches, counts: NDArray[np.int64]) -> Values:
    """MAP@0.5 of the detections of each draw together, over the classes that occur in it.

    Returns:
        One value a row of `counts`; NaN for a draw without any object.
    """
    values = average_precision(matches, counts)
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0).sum(1), defined.sum(1))


def miou(
    confusions: ImageConfusions, counts: NDArray[np.int64], *, background: bool = True
) -> Values:
    """MIoU of one confusion matrix over each draw.

    Args:
        background: whether class 0 counts.
    """
    # In float64 the product is a BLAS call, and exact: pixel counts stay far below 2^53.
    matrices = confusions.matrices
    flat = counts.astype(np.float64) @ matrices.reshape(len(matrices), -1).astype(np.float64)
    return mean_iou(flat.reshape(-1, *matrices.shape[1:]), background)


def _ratio(total: Values, number: NDArray[np.number]) -> Values:
    mean: Values = np.full_like(total, np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return mean
