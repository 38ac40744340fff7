"""Everything measured -> one table: a row a method, fusion metrics and downstream metrics."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fusion.images import InputError


@dataclass(frozen=True)
class Leaderboard:
    """The table and the conditions under which its numbers hold.

    table: one row a method, columns (data set, quantity).
    conditions: sentences for the reader: protocol, stretch, numbers of images, splits.
    """

    table: pd.DataFrame
    conditions: list[str]

    def to_csv(self) -> str:
        """CSV with one header line, columns named `<data set> <quantity>`."""
        flat = self.table.copy()
        flat.columns = pd.Index([" ".join(column) for column in flat.columns])
        return flat.to_csv(index_label="method", float_format="%.6g")

    def to_markdown(self) -> str:
        """The table with the best value of each column in bold, and the conditions below."""
        names = [f"{dataset} {quantity}" for dataset, quantity in self.table.columns]
        lines = ["| method | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        best = self.table.max()
        for method, row in self.table.iterrows():
            cells = [_cell(value, value == best[column]) for column, value in row.items()]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        return "\n".join([*lines, "", *(f"- {line}" for line in self.conditions)]) + "\n"

    def to_metrics(self) -> dict[str, Any]:
        """Nested numbers, method → data set → quantity; undefined values are left out."""
        metrics: dict[str, Any] = {}
        for method, row in self.table.iterrows():
            for (dataset, quantity), value in row.dropna().items():
                metrics.setdefault(method, {}).setdefault(dataset, {})[quantity] = value
        return metrics


def _cell(value: float, best: bool) -> str:
    if pd.isna(value):
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
    rows: dict[str, dict[tuple[str, str], float]] = {}
    conditions: dict[str, None] = {}
    for method in methods:
        row = rows.setdefault(method, {})
        for dataset in fuse_on:
            summary = _read(scores / f"evaluate-{method}-{dataset}" / "summary.json")
            row |= {(dataset, name): item["mean"] for name, item in summary["metrics"].items()}
            stretched = "on" if summary["stretch"] else "off"
            conditions[
                f"{dataset}: fusion metrics are means over {summary['images']} test images, "
                f"protocol `{summary['protocol']}`, stretch {stretched}"
            ] = None
        for dataset in detect_on:
            detection = _read(scores / f"detect-{method}-{dataset}" / "scores.json")
            row[dataset, "mAP@0.5"] = detection["map50"]
            row[dataset, "mAP@0.5:0.95"] = detection["map50_95"]
            conditions[f"{dataset}: {detection['protocol']}"] = None
        for dataset in segment_on:
            segmentation = _read(scores / f"segment-{method}-{dataset}" / "scores.json")
            row[dataset, "mIoU"] = segmentation["miou"]
            conditions[f"{dataset}: {segmentation['protocol']}"] = None
    expected = len(fuse_on) + len(detect_on) + len(segment_on)
    if len(conditions) > expected:
        raise InputError(
            scores, "rows were measured differently", "run `dvc repro`: " + "; ".join(conditions)
        )
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    return Leaderboard(table, list(conditions))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(path, "is missing", "run `dvc repro`")
    content: dict[str, Any] = json.loads(path.read_text())
    return content
