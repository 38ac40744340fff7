"""Everything measured -> one table: a row a method, fusion metrics and downstream metrics."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path
from typing import Any

import pandas as pd

from fusion.images import InputError
from fusion.metrics import METRICS

Column = tuple[str, str]


@dataclass(frozen=True)
class Leaderboard:
    """The table and the conditions under which its numbers hold.

    rows: method -> (data set, quantity) -> value; NaN where undefined. All rows have the same
        columns in the same order.
    conditions: sentences for the reader: protocol, stretch, numbers of images, splits.
    images: (data set, fusion metric) -> method -> one value an image.
    spreads: (data set, downstream score) -> method -> standard deviation over training seeds.
    stretching: (data set, fusion metric) -> method -> what stretching alone would add (a share).
    """

    rows: dict[str, dict[Column, float]]
    conditions: list[str]
    images: dict[Column, dict[str, pd.Series]] = field(default_factory=dict)
    spreads: dict[Column, dict[str, float]] = field(default_factory=dict)
    stretching: dict[Column, dict[str, float]] = field(default_factory=dict)

    @property
    def columns(self) -> list[Column]:
        """(data set, quantity), in the order shown."""
        return list(next(iter(self.rows.values())))

    @property
    def downstream(self) -> list[Column]:
        """The columns that are not fusion metrics."""
        return [column for column in self.columns if column[1] not in METRICS]

    def column(self, column: Column) -> pd.Series:
        """One column, indexed by method."""
        return pd.Series({method: row[column] for method, row in self.rows.items()}, dtype=float)

    def best(self, column: Column, among: Iterable[str] | None = None) -> str | None:
        """The best method of a column, None where all values are undefined."""
        values = self.column(column).loc[list(self.rows if among is None else among)].dropna()
        if values.empty:
            return None
        return str(values.idxmax() if higher_is_better(column) else values.idxmin())

    def to_csv(self) -> str:
        """CSV with one header line, columns named `<data set> <quantity>`."""
        names = [" ".join(column) for column in self.columns]
        values = [list(row.values()) for row in self.rows.values()]
        table = pd.DataFrame(values, index=list(self.rows), columns=names)
        return table.to_csv(index_label="method", float_format="%.6g")

    def to_metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """Nested numbers, method → data set → quantity; undefined values are left out."""
        metrics: dict[str, dict[str, dict[str, float]]] = {}
        for method, row in self.rows.items():
            for (dataset, quantity), value in row.items():
                if not isnan(value):
                    metrics.setdefault(method, {}).setdefault(dataset, {})[quantity] = value
        return metrics

    def to_long(self) -> pd.DataFrame:
        """Columns method, dataset, metric, value: what bar charts are drawn from."""
        return pd.DataFrame(
            [
                {"method": method, "dataset": dataset, "metric": quantity, "value": value}
                for method, row in self.rows.items()
                for (dataset, quantity), value in row.items()
            ]
        )


def higher_is_better(column: Column) -> bool:
    """Downstream scores all are; of the fusion metrics most are."""
    return column[1] not in METRICS or METRICS[column[1]].higher_is_better


def collect(
    scores: Path,
    methods: Iterable[str],
    fuse_on: Sequence[str],
    detect_on: Sequence[str],
    segment_on: Sequence[str],
    has_images: Callable[[str, str], bool] = lambda *_: True,
) -> Leaderboard:
    """Read the scores that the stages wrote.

    Args:
        scores: folder with `evaluate-<method>-<set>/{summary.json,images.csv}`,
            `detect-…/scores.json` and `segment-…/scores.json`.
        methods: rows, in the order shown.
        fuse_on, detect_on, segment_on: data sets of each kind of column.
        has_images: (method, data set) -> whether the row has values there; NaN if not.

    Raises:
        InputError: a score is missing, or scores of one column were measured differently.
    """
    board = Leaderboard({}, [])
    conditions: dict[str, None] = {}
    protocols: dict[str, set[tuple[str, ...]]] = {}
    for method in methods:
        row = board.rows.setdefault(method, {})
        for dataset in (name for name in fuse_on if has_images(method, name)):
            condition = _add_fusion_metrics(board, scores, method, dataset)
            conditions[condition] = None
            protocols.setdefault(f"fusion on {dataset}", set()).add((condition,))
        for dataset in detect_on:
            detection = _read(scores / f"detect-{method}-{dataset}" / "scores.json")
            row[dataset, "mAP@0.5"] = detection["map50"]
            row[dataset, "mAP@0.5:0.95"] = detection["map50_95"]
            if detection["map50_sd"] is not None:
                board.spreads.setdefault((dataset, "mAP@0.5"), {})[method] = detection["map50_sd"]
            conditions[f"{dataset}: detection by {detection['conditions']}"] = None
            protocols.setdefault(f"detection on {dataset}", set()).add(tuple(detection["protocol"]))
        for dataset in segment_on:
            segmentation = _read(scores / f"segment-{method}-{dataset}" / "scores.json")
            row[dataset, "mIoU"] = segmentation["miou"]
            if segmentation["miou_sd"] is not None:
                board.spreads.setdefault((dataset, "mIoU"), {})[method] = segmentation["miou_sd"]
            conditions[f"{dataset}: segmentation by {segmentation['conditions']}"] = None
            protocols.setdefault(f"segmentation on {dataset}", set()).add(
                tuple(segmentation["protocol"])
            )
    _same_protocols(scores, protocols)
    board.conditions.extend(conditions)
    columns = sorted(
        dict.fromkeys(column for row in board.rows.values() for column in row),
        key=lambda column: (_kind(column), fuse_on.index(column[0])),
    )
    for method, row in board.rows.items():
        board.rows[method] = {column: row.get(column, nan) for column in columns}
    return board


def _kind(column: Column) -> int:
    """Fusion metrics come first, then detection, then segmentation."""
    return 0 if column[1] in METRICS else 1 + (column[1] == "mIoU")


def _add_fusion_metrics(board: Leaderboard, scores: Path, method: str, dataset: str) -> str:
    """Add a method's fusion metrics of one data set; returns the conditions in words."""
    folder = scores / f"evaluate-{method}-{dataset}"
    summary = _read(folder / "summary.json")
    images = pd.read_csv(folder / "images.csv", dtype={"name": str}).set_index("name")
    for name, item in summary["metrics"].items():
        board.rows[method][dataset, name] = nan if item["mean"] is None else item["mean"]
        board.images.setdefault((dataset, name), {})[method] = images[name]
    for name, share in summary["stretching"].items():
        board.stretching.setdefault((dataset, name), {})[method] = share
    return (
        f"{dataset}: fusion metrics are means over {summary['images']} test images, protocol "
        f"`{summary['protocol']}`, stretch {'on' if summary['stretch'] else 'off'}"
    )


def _same_protocols(scores: Path, protocols: Mapping[str, set[tuple[str, ...]]]) -> None:
    """Rows compare only if settings, split, labels and seeds were the same for all of them."""
    for measured, found in protocols.items():
        if len(found) > 1:
            raise InputError(
                scores, f"{measured} was not measured alike for all methods", "run `dvc repro`"
            )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(path, "is missing", "run `dvc repro`")
    content: dict[str, Any] = json.loads(path.read_text())
    return content
