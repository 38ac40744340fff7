"""The leaderboard: one row per method, one column per fusion metric or downstream score."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isnan, nan
from statistics import fmean, stdev

import pandas as pd

from fusion.metrics.names import LOWER_IS_BETTER, METRIC_NAMES
from pipelines.report.board import Board

Column = tuple[str, str]
"""Data set and quantity."""


@dataclass(frozen=True)
class Leaderboard:
    """The table.

    rows: method -> column -> value; NaN where undefined. All rows have the same columns in the
        same order.
    spreads: column -> method -> standard deviation over training seeds, of downstream scores.
    costs: method -> quantity -> value, of costs that are the same in every run; None where unknown.
    """

    rows: Mapping[str, Mapping[Column, float]]
    spreads: Mapping[Column, Mapping[str, float]] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    @property
    def columns(self) -> list[Column]:
        """In the order shown."""
        return list(next(iter(self.rows.values())))

    @property
    def fusion(self) -> list[Column]:
        """The columns that are fusion metrics."""
        return [column for column in self.columns if column[1] in METRIC_NAMES]

    @property
    def downstream(self) -> list[Column]:
        """The columns that are not."""
        return [column for column in self.columns if column[1] not in METRIC_NAMES]

    def column(self, column: Column) -> "pd.Series[float]":
        """One column, indexed by method."""
        return pd.Series({method: row[column] for method, row in self.rows.items()}, dtype=float)

    def best(self, column: Column, among: Iterable[str] | None = None) -> str | None:
        """The best method of a column, None where all values are undefined."""
        values = self.column(column).loc[list(self.rows if among is None else among)].dropna()
        if values.empty:
            return None
        return str(values.idxmax() if higher_is_better(column) else values.idxmin())

    def to_csv(self) -> str:
        """CSV with one header line: columns named `<data set> <quantity>`, then the costs."""
        names = [" ".join(column) for column in self.columns]
        values = [list(row.values()) for row in self.rows.values()]
        table = pd.DataFrame(values, index=list(self.rows), columns=names)
        for name in next(iter(self.costs.values()), ()):
            costs = pd.Series({method: cost[name] for method, cost in self.costs.items()})
            table[name] = costs.convert_dtypes()  # whole numbers stay whole
        return table.to_csv(index_label="method", float_format="%.6g")

    def to_metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """Nested numbers, method → data set (or "cost") → quantity; undefined ones are left out."""
        metrics: dict[str, dict[str, dict[str, float]]] = {}
        for method, row in self.rows.items():
            for (dataset, quantity), value in row.items():
                if not isnan(value):
                    metrics.setdefault(method, {}).setdefault(dataset, {})[quantity] = value
        for method, costs in self.costs.items():
            if known := {name: value for name, value in costs.items() if value is not None}:
                metrics.setdefault(method, {})["cost"] = known
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
    """Whether higher is better: true for downstream scores and most fusion metrics."""
    return column[1] not in LOWER_IS_BETTER


def leaderboard(board: Board) -> Leaderboard:
    """Fusion metrics come first, then detection, then segmentation."""
    found: dict[Column, dict[str, float | None]] = {}
    spreads: dict[Column, dict[str, float]] = {}
    for dataset, measured in board.fusion.items():
        for method, row in measured.items():
            for name, metric in row.summary.metrics.items():
                found.setdefault((dataset, name), {})[method] = metric.mean
    for column, rows in _downstream(board):
        found[column] = {method: fmean(values) for method, values in rows.items() if values}
        spreads[column] = {
            method: stdev(values) for method, values in rows.items() if len(values) > 1
        }
    return Leaderboard(
        {
            method: {column: _number(values.get(method)) for column, values in found.items()}
            for method in board.methods
        },
        spreads,
    )


def _downstream(board: Board) -> Iterator[tuple[Column, dict[str, list[float]]]]:
    """Column, and method -> one value a training seed; undefined values are left out."""
    for dataset, detected in board.detection.items():
        by_method = {method: runs.values() for method, runs in detected.items()}
        yield (dataset, "mAP@0.5"), {m: [r.map50 for r in runs] for m, runs in by_method.items()}
        yield (
            (dataset, "mAP@0.5:0.95"),
            {m: [r.map50_95 for r in runs] for m, runs in by_method.items()},
        )
    for dataset, labeled in board.segmentation.items():
        yield (
            (dataset, "mIoU"),
            {
                method: [run.test.miou for run in runs.values() if run.test.miou is not None]
                for method, runs in labeled.items()
            },
        )


def _number(value: float | None) -> float:
    return nan if value is None else value
