"""Everything measured -> one table: a row a method, fusion metrics and downstream metrics."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from fusion.core.errors import InputError
from fusion.core.protocol import Protocol
from fusion.metrics import METRICS
from fusion.metrics.folders import RANGE
from pipelines.report.comparability import require_alike

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
    ranges: data set -> method -> grey levels that each test image spans.
    """

    rows: dict[str, dict[Column, float]]
    conditions: list[str]
    images: dict[Column, dict[str, pd.Series]] = field(default_factory=dict)
    spreads: dict[Column, dict[str, float]] = field(default_factory=dict)
    stretching: dict[Column, dict[str, float]] = field(default_factory=dict)
    ranges: dict[str, dict[str, list[float]]] = field(default_factory=dict)

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
    present: Mapping[str, Callable[[], Protocol]] = MappingProxyType({}),
) -> Leaderboard:
    """Read the scores that the stages wrote.

    Args:
        scores: folder with `evaluate-<method>-<set>/{summary.json,images.csv}`,
            `detect-…/scores.json` and `segment-…/scores.json`.
        methods: rows, in the order shown.
        fuse_on, detect_on, segment_on: data sets of each kind of column.
        has_images: (method, data set) -> whether the row has values there; NaN if not.
        present: stage -> what its runs would share now; see `require_alike`.

    Raises:
        InputError: a score is missing, or scores of one column were measured differently.
    """
    board = Leaderboard({}, [])
    conditions: dict[str, None] = {}
    protocols: dict[tuple[str, str], dict[str, Protocol]] = {}
    tasks = (
        ("evaluate", fuse_on, _add_fusion_metrics),
        ("detect", detect_on, _add_detection),
        ("segment", segment_on, _add_segmentation),
    )
    for method in methods:
        board.rows[method] = {}
        for stage, datasets, add in tasks:
            for dataset in (name for name in datasets if has_images(method, name)):
                folder = scores / f"{stage}-{method}-{dataset}"
                protocol, condition = add(board, folder, method, dataset)
                protocols.setdefault((stage, dataset), {})[method] = protocol
                conditions[f"{dataset}: {condition}"] = None
    for (stage, dataset), rows in protocols.items():
        require_alike(stage, dataset, rows, present.get(stage, dict))
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


def _add_fusion_metrics(
    board: Leaderboard, folder: Path, method: str, dataset: str
) -> tuple[Protocol, str]:
    """Add a method's fusion metrics of one data set; returns how they were measured, twice."""
    summary = _read(folder / "summary.json")
    images = pd.read_csv(folder / "images.csv", dtype={"name": str}).set_index("name")
    for name, item in summary["metrics"].items():
        board.rows[method][dataset, name] = nan if item["mean"] is None else item["mean"]
        board.images.setdefault((dataset, name), {})[method] = images[name]
    board.ranges.setdefault(dataset, {})[method] = images[RANGE].tolist()
    for name, share in summary["stretching"].items():
        board.stretching.setdefault((dataset, name), {})[method] = share
    protocol = {name: summary[name] for name in ("protocol", "images", "stretch")}
    return protocol, (
        f"fusion metrics are means over {summary['images']} test images, protocol "
        f"`{summary['protocol']}`, stretch {'on' if summary['stretch'] else 'off'}"
    )


def _add_detection(
    board: Leaderboard, folder: Path, method: str, dataset: str
) -> tuple[Protocol, str]:
    found = _read(folder / "scores.json")
    for column, name in (("mAP@0.5", "map50"), ("mAP@0.5:0.95", "map50_95")):
        board.rows[method][dataset, column] = found[name]
        if found[f"{name}_sd"] is not None:
            board.spreads.setdefault((dataset, column), {})[method] = found[f"{name}_sd"]
    return found["protocol"], f"detection by {found['conditions']}"


def _add_segmentation(
    board: Leaderboard, folder: Path, method: str, dataset: str
) -> tuple[Protocol, str]:
    found = _read(folder / "scores.json")
    board.rows[method][dataset, "mIoU"] = found["miou"]
    if found["miou_sd"] is not None:
        board.spreads.setdefault((dataset, "mIoU"), {})[method] = found["miou_sd"]
    return found["protocol"], f"segmentation by {found['conditions']}"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(path, "is missing", "run `dvc repro`")
    content: dict[str, Any] = json.loads(path.read_text())
    return content
