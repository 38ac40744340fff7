"""Downstream scores by day and at night."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal

import pandas as pd

from pipelines.report.board import Board
from pipelines.scores.detection import DetectionPart, DetectionScores
from pipelines.scores.segmentation import SegmentationPart, SegmentationScores

ALL = "all classes"
COLUMNS = ["dataset", "score", "class", "subset", "method", "seeds", "images", "amount", "value"]

Subset = Literal["day", "night"]
_Row = dict[str, object]


@dataclass(frozen=True)
class _Part:
    """One seed's scores of a part of the test set; amounts are objects or pixels by class."""

    mean: float | None
    by_class: Mapping[str, float | None]
    amounts: Mapping[str, int]
    images: int


def day_night(board: Board) -> pd.DataFrame:
    """Average precision and IoU of every class, separately for day and night images.

    Returns:
        Columns dataset, score (AP@0.5 or IoU), class (`all classes` is the mean over those that
        occur), subset (day or night), method, seeds (how many `value` is the mean of), images,
        amount (objects or pixels of the class in the truth) and value (NaN where no object is
        there, or no pixel in truth and prediction). No rows for a data set of which day and night
        are not known.
    """
    rows: list[_Row] = []
    for dataset, detected in board.detection.items():
        for method, runs in detected.items():
            names = {"dataset": dataset, "score": "AP@0.5", "method": method}
            rows += [names | row for row in _detection(runs.values())]
    for dataset, labeled in board.segmentation.items():
        for method, found in labeled.items():
            names = {"dataset": dataset, "score": "IoU", "method": method}
            rows += [names | row for row in _segmentation(found.values())]
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = ["dataset", "score", "class", "subset"]
    return table.sort_values(order, key=_as_found, kind="stable", ignore_index=True)


def _as_found(column: "pd.Series[str]") -> "pd.Series[int]":
    return pd.Series(pd.factorize(column)[0], index=column.index)


def _detection(runs: Collection[DetectionScores]) -> Iterator[_Row]:
    yield from _rows("day", [_detected(run.day) for run in runs])
    yield from _rows("night", [_detected(run.night) for run in runs])


def _detected(part: DetectionPart | None) -> _Part | None:
    return _Part(part.map50, part.ap50, part.objects, part.images) if part else None


def _segmentation(runs: Collection[SegmentationScores]) -> Iterator[_Row]:
    yield from _rows("day", [_labeled(run.day) for run in runs])
    yield from _rows("night", [_labeled(run.night) for run in runs])


def _labeled(part: SegmentationPart | None) -> _Part | None:
    return _Part(part.miou, part.iou, part.pixels, part.images) if part else None


def _rows(subset: Subset, seeds: Sequence[_Part | None]) -> Iterator[_Row]:
    """One row per class; images and amounts are the same for every seed."""
    parts = [part for part in seeds if part]
    if len(parts) < len(seeds):
        return
    amounts = parts[0].amounts
    common = {"subset": subset, "seeds": len(parts), "images": parts[0].images}
    total = _mean([part.mean for part in parts])
    yield {**common, "class": ALL, "amount": sum(amounts.values()), "value": total}
    for name, amount in amounts.items():
        value = _mean([part.by_class[name] for part in parts])
        yield {**common, "class": name, "amount": amount, "value": value}


def _mean(values: Sequence[float | None]) -> float:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else nan
