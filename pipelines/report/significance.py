"""Significance of the leaderboard's differences, and agreement of metrics with the tasks."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from pipelines.report.board import Board
from pipelines.report.bootstrap import interval
from pipelines.report.comparison import LEVEL, pairwise, rank_agreement, rank_correlations
from pipelines.report.leaderboard import Column, Leaderboard, higher_is_better
from pipelines.report.resampling import Resampled


def significance(board: Board) -> pd.DataFrame:
    """Paired Wilcoxon tests of every two methods, Holm-corrected within a data set and metric.

    Returns:
        Columns dataset, metric, first, second, difference, p, p_holm.
    """
    tables = [
        pairwise(values).assign(dataset=dataset, metric=metric)
        for (dataset, metric), values in _by_image(board).items()
    ]
    columns = ["dataset", "metric", "first", "second", "difference", "p", "p_holm"]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True)[columns]


def _by_image(board: Board) -> dict[Column, dict[str, "pd.Series[float]"]]:
    """Column → method → one value an image, indexed by its name."""
    values: dict[Column, dict[str, pd.Series[float]]] = {}
    for dataset, rows in board.fusion.items():
        for method, row in rows.items():
            images = row.images.set_index("name")
            for metric in row.summary.metrics:
                values.setdefault((dataset, metric), {})[method] = images[metric]
    return values


def as_good_as_best(table: Leaderboard, tests: pd.DataFrame) -> dict[Column, frozenset[str]]:
    """Column → methods whose difference from the best one is not significant.

    Args:
        table: the leaderboard.
        tests: result of `significance`.
    """
    tied = {}
    for column in table.fusion:
        best = table.best(column)
        rows = tests[(tests["dataset"] == column[0]) & (tests["metric"] == column[1])]
        close = rows[rows["p_holm"] >= LEVEL]
        names = {
            *close.loc[close["first"] == best, "second"],
            *close.loc[close["second"] == best, "first"],
        }
        tied[column] = frozenset(names)
    return tied


def agreement(
    table: Leaderboard, resampled: Mapping[Column, Resampled] = MappingProxyType({})
) -> pd.DataFrame:
    """Kendall's τ between each fusion metric and each downstream score of its data set.

    Metrics where lower is better are counted downwards. Intervals are 95 % bootstraps over test
    images and training seeds, with one seed over the images alone; p is about the choice of
    methods: the chance of such a τ among random orders.

    Args:
        table: the leaderboard.
        resampled: result of `pipelines.report.resampling.resample`; other scores have no interval.

    Returns:
        Columns dataset, metric, score, tau, low, high, p, methods, seeds.
    """
    rows = []
    for dataset, score in table.downstream:
        for column in table.fusion:
            if column[0] != dataset:
                continue
            sign = 1 if higher_is_better(column) else -1
            result = rank_agreement(sign * table.column(column), table.column((dataset, score)))
            row = {"dataset": dataset, "metric": column[1], "score": score, **result._asdict()}
            if found := resampled.get((dataset, score)):
                low, high = _tau_interval(found, column[1], sign)
                row |= {"low": low, "high": high, "seeds": found.seeds}
            rows.append(row)
    columns = ["dataset", "metric", "score", "tau", "low", "high", "p", "methods", "seeds"]
    return pd.DataFrame(rows, columns=columns).astype({"seeds": "Int64"})


def _tau_interval(found: Resampled, metric: str, sign: int) -> tuple[float, float]:
    """Interval of τ over the draws of the methods that have both values."""
    values = found.metrics.get(metric, {})
    both = [
        method
        for method in values
        if not np.isnan(values[method][0]) and not np.isnan(found.scores[method][0])
    ]
    if len(both) < 3:
        return np.nan, np.nan
    measured, scored = (np.stack([rows[m] for m in both]) for rows in (values, found.scores))
    return interval(rank_correlations(sign * measured, scored))
