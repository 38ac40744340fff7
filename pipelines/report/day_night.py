"""What fusion is worth by day and at night: the downstream scores of both parts of the test set."""

import json
from collections.abc import Collection, Iterator, Sequence
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

ALL = "all classes"
COLUMNS = ["dataset", "score", "class", "subset", "method", "seeds", "images", "amount", "value"]

_Row = dict[str, object]


def day_night(
    scores: Path, methods: Collection[str], detect_on: Sequence[str], segment_on: Sequence[str]
) -> pd.DataFrame:
    """Average precision and IoU of every class, day and night images apart.

    Args:
        scores: folder with `detect-<method>-<set>/scores.json` and `segment-…/scores.json`.
        methods: rows, in the order shown.
        detect_on, segment_on: data sets of each task.

    Returns:
        Columns dataset, score (AP@0.5 or IoU), class (`all classes` is the mean over those that
        occur), subset (day or night), method, seeds (how many `value` is the mean of), images,
        amount (objects or pixels of the class in the truth) and value (NaN where no object is
        there, or no pixel in truth and prediction). No rows for a data set of which day and night
        are not known.
    """
    rows: list[_Row] = []
    for datasets, stage, score, mean, by_class, amount in (
        (detect_on, "detect", "AP@0.5", "map50", "ap50", "objects"),
        (segment_on, "segment", "IoU", "miou", "iou", "pixels"),
    ):
        for dataset in datasets:
            for method in methods:
                path = scores / f"{stage}-{method}-{dataset}" / "scores.json"
                runs = list(json.loads(path.read_text())["seeds"].values())
                names = {"dataset": dataset, "score": score, "method": method}
                rows += [names | row for row in _parts(runs, mean, by_class, amount)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = ["dataset", "score", "class", "subset"]
    return table.sort_values(order, key=_as_found, kind="stable", ignore_index=True)


def _as_found(column: "pd.Series[str]") -> "pd.Series[int]":
    return pd.Series(pd.factorize(column)[0], index=column.index)


def _parts(runs: Sequence[dict[str, Any]], mean: str, by_class: str, amount: str) -> Iterator[_Row]:
    """A row a class and part of the test set; the parts are the same for every seed."""
    for subset in ("day", "night"):
        parts = [run[subset] for run in runs]
        if None in parts:
            continue
        first = parts[0]
        common = {"subset": subset, "seeds": len(parts), "images": first["images"]}
        total = sum(first[amount].values())
        values = [part[mean] for part in parts]
        yield {**common, "class": ALL, "amount": total, "value": _mean(values)}
        for name, count in first[amount].items():
            values = [part[by_class][name] for part in parts]
            yield {**common, "class": name, "amount": count, "value": _mean(values)}


def _mean(values: Sequence[float | None]) -> float:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else nan
