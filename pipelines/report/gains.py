"""Is a method better for the task than the visible image alone? Resampled test images."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detection.matches import Matches, average_precision
from pipelines.report.board import Board
from pipelines.report.bootstrap import Difference, compare
from pipelines.scores.detection import DetectionScores
from pipelines.scores.segmentation import ImageConfusions, SegmentationScores
from segmentation.confusion import mean_iou

REFERENCE = "visible"
COLUMNS = ["dataset", "score", "method", "seed", "difference", "low", "high", "p"]


def task_differences(board: Board) -> pd.DataFrame:
    """mAP@0.5 and mIoU of every method less the visible image's, seed by seed.

    Intervals are 95 % paired bootstraps over the test images; they say nothing about training
    seeds, which is why several seeds have several rows.

    Returns:
        Columns dataset, score, method, seed, difference, low, high, p; no rows where `visible` is
        not among the methods.
    """
    rows: list[tuple[object, ...]] = []
    if REFERENCE in board.methods:
        others = [method for method in board.methods if method != REFERENCE]
        for dataset, found in board.detection.items():
            for method in others:
                for seed, gain in _detection(found[method], found[REFERENCE]):
                    rows.append((dataset, "mAP@0.5", method, seed, *gain))
        for dataset, labeled in board.segmentation.items():
            for method in others:
                for seed, gain in _segmentation(labeled[method], labeled[REFERENCE]):
                    rows.append((dataset, "mIoU", method, seed, *gain))
    return pd.DataFrame(rows, columns=COLUMNS)


def _detection(
    method: Mapping[int, DetectionScores], reference: Mapping[int, DetectionScores]
) -> Iterator[tuple[int, Difference]]:
    for seed, run in method.items():
        yield seed, map50_difference(run.matches, reference[seed].matches)


def _segmentation(
    method: Mapping[int, SegmentationScores], reference: Mapping[int, SegmentationScores]
) -> Iterator[tuple[int, Difference]]:
    for seed, run in method.items():
        counted = run.background_counts
        yield (
            seed,
            miou_difference(run.confusions, reference[seed].confusions, background=counted),
        )


def map50_difference(method: Matches, reference: Matches, resamples: int = 1000) -> Difference:
    """mAP@0.5 of one method less another's; each draw's is that of its detections together.

    A draw's mean is over the classes that occur in it; a draw without any object has none.

    Raises:
        ValueError: the two are not of the same images and objects.
    """
    if method.stems != reference.stems or not np.array_equal(method.truth, reference.truth):
        raise ValueError("the two methods were not tested on the same images and objects")
    mine, others = partial(_map50, method), partial(_map50, reference)
    return compare(mine, others, len(method.stems), resamples)


def miou_difference(
    method: ImageConfusions,
    reference: ImageConfusions,
    resamples: int = 2000,
    *,
    background: bool = True,
) -> Difference:
    """MIoU of one method less another's; each draw's comes from one confusion matrix over it.

    Args:
        method: of the method.
        reference: of the other.
        resamples: number of draws.
        background: whether class 0 counts in the mean.

    Raises:
        ValueError: the two are not of the same images (names or pixels of each class differ).
    """
    truths = [confusions.matrices.sum(-1) for confusions in (method, reference)]
    if method.stems != reference.stems or not np.array_equal(*truths):
        raise ValueError("the two methods were not tested on the same images in the same order")
    mine, others = (
        partial(_miou, confusions.matrices, background) for confusions in (method, reference)
    )
    return compare(mine, others, len(method.stems), resamples)


def _map50(matches: Matches, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    values = average_precision(matches, counts)
    defined = ~np.isnan(values)
    total, number = np.where(defined, values, 0).sum(1), defined.sum(1)
    mean: NDArray[np.float64] = np.full_like(total, np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return mean


def _miou(
    matrices: NDArray[np.int64], background: bool, counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    # In float64 the product is a BLAS call, and exact: pixel counts stay far below 2^53.
    flat = counts.astype(np.float64) @ matrices.reshape(len(matrices), -1).astype(np.float64)
    return mean_iou(flat.reshape(-1, *matrices.shape[1:]), background)
