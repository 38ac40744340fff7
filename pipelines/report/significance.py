"""Significance of the leaderboard's differences, and agreement of metrics with the tasks."""

import pandas as pd

from pipelines.report.board import Board
from pipelines.report.comparison import LEVEL, pairwise, rank_agreement
from pipelines.report.leaderboard import Column, Leaderboard, higher_is_better


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


def agreement(table: Leaderboard) -> pd.DataFrame:
    """Kendall's τ between each fusion metric and each downstream score of its data set.

    Metrics where lower is better are counted downwards.

    Returns:
        Columns dataset, metric, score, tau, p, methods.
    """
    rows = []
    for dataset, score in table.downstream:
        for column in table.fusion:
            if column[0] != dataset:
                continue
            sign = 1 if higher_is_better(column) else -1
            result = rank_agreement(sign * table.column(column), table.column((dataset, score)))
            row = {"dataset": dataset, "metric": column[1], "score": score}
            rows.append({**row, **result._asdict()})
    columns = ["dataset", "metric", "score", "tau", "p", "methods"]
    return pd.DataFrame(rows, columns=columns)
