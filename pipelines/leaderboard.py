"""Everything measured -> one table: a row a method, fusion metrics and downstream metrics."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import pandas as pd

from fusion.images import InputError

Column = tuple[str, str]


@dataclass(frozen=True)
class Leaderboard:
    """The table and the conditions under which its numbers hold.

    rows: method -> (data set, quantity) -> value; NaN where undefined. All rows have the same
        columns in the same order.
    conditions: sentences for the reader: protocol, stretch, numbers of images, splits.
    """

    rows: dict[str, dict[Column, float]]
    conditions: list[str]

    @property
    def columns(self) -> list[Column]:
        """(data set, quantity), in the order shown."""
        return list(next(iter(self.rows.values())))

    def to_csv(self) -> str:
        """CSV with one header line, columns named `<data set> <quantity>`."""
        names = [" ".join(column) for column in self.columns]
        values = [list(row.values()) for row in self.rows.values()]
        table = pd.DataFrame(values, index=list(self.rows), columns=names)
        return table.to_csv(index_label="method", float_format="%.6g")

    def to_markdown(self) -> str:
        """The table with the best value of each column in bold, and the conditions below."""
        names = [" ".join(column) for column in self.columns]
        lines = ["| method | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        best = {
            column: max((row[column] for row in self.rows.values()), key=_nan_last)
            for column in self.columns
        }
        for method, row in self.rows.items():
            cells = [_cell(value, value == best[column]) for column, value in row.items()]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        return "\n".join([*lines, "", *(f"- {line}" for line in self.conditions)]) + "\n"

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


def _nan_last(value: float) -> float:
    return -inf if isnan(value) else value


def _cell(value: float, best: bool) -> str:
    if isnan(value):
        return "–"
    shown = f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
    return f"**{shown}**" if best else shown


def collect(
    scores: Path,
    methods: Iterable[str],
    fuse_on: Sequence[str],
    detect_on: Sequence[str],
    segment_on: Sequence[str],
) -> Leaderboard:
    """Read the scores that the stages wrote.

    Args:
        scores: folder with `evaluate-<method>-<set>/summary.json`, `detect-…/scores.json` and
            `segment-…/scores.json`.
        methods: rows, in the order shown.
        fuse_on, detect_on, segment_on: data sets of each kind of column.

    Raises:
        InputError: a score is missing, or scores of one column were measured differently.
    """
    rows: dict[str, dict[Column, float]] = {}
    conditions: dict[str, None] = {}
    protocols: dict[str, set[tuple[str, ...]]] = {}
    for method in methods:
        row = rows.setdefault(method, {})
        for dataset in fuse_on:
            summary = _read(scores / f"evaluate-{method}-{dataset}" / "summary.json")
            for name, item in summary["metrics"].items():
                row[dataset, name] = nan if item["mean"] is None else item["mean"]
            stretched = "on" if summary["stretch"] else "off"
            condition = (
                f"{dataset}: fusion metrics are means over {summary['images']} test images, "
                f"protocol `{summary['protocol']}`, stretch {stretched}"
            )
            conditions[condition] = None
            protocols.setdefault(f"fusion on {dataset}", set()).add((condition,))
        for dataset in detect_on:
            detection = _read(scores / f"detect-{method}-{dataset}" / "scores.json")
            row[dataset, "mAP@0.5"] = detection["map50"]
            row[dataset, "mAP@0.5:0.95"] = detection["map50_95"]
            conditions[f"{dataset}: detection by {detection['conditions']}"] = None
            protocols.setdefault(f"detection on {dataset}", set()).add(tuple(detection["protocol"]))
        for dataset in segment_on:
            segmentation = _read(scores / f"segment-{method}-{dataset}" / "scores.json")
            row[dataset, "mIoU"] = segmentation["miou"]
            conditions[f"{dataset}: segmentation by {segmentation['conditions']}"] = None
            protocols.setdefault(f"segmentation on {dataset}", set()).add(
                tuple(segmentation["protocol"])
            )
    _same_protocols(scores, protocols)
    return Leaderboard(rows, list(conditions))


def _same_protocols(scores: Path, protocols: dict[str, set[tuple[str, ...]]]) -> None:
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
