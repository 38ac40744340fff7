"""What the leaderboard's differences are worth: significance, and agreement with the tasks."""

import pandas as pd

from fusion.metrics import METRICS
from fusion.metrics.comparison import LEVEL, pairwise, rank_agreement
from pipelines.report.leaderboard import Leaderboard, higher_is_better


def significance(board: Leaderboard) -> pd.DataFrame:
    """Paired Wilcoxon tests of every two methods, Holm-corrected within a data set and metric.

    Returns:
        Columns dataset, metric, first, second, difference, p, p_holm.
    """
    tables = [
        pairwise(values).assign(dataset=dataset, metric=metric)
        for (dataset, metric), values in board.images.items()
    ]
    columns = ["dataset", "metric", "first", "second", "difference", "p", "p_holm"]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True)[columns]


def as_good_as_best(
    board: Leaderboard, tests: pd.DataFrame
) -> dict[tuple[str, str], frozenset[str]]:
    """Column → methods whose difference from the best one is not significant."""
    tied = {}
    for dataset, metric in board.images:
        best = board.best((dataset, metric))
        rows = tests[(tests["dataset"] == dataset) & (tests["metric"] == metric)]
        close = rows[rows["p_holm"] >= LEVEL]
        names = {
            *close.loc[close["first"] == best, "second"],
            *close.loc[close["second"] == best, "first"],
        }
        tied[dataset, metric] = frozenset(names)
    return tied


def agreement(board: Leaderboard) -> pd.DataFrame:
    """Kendall's τ between each fusion metric and each downstream score of its data set.

    Metrics where lower is better are counted downwards.

    Returns:
        Columns dataset, metric, score, tau, p, methods.
    """
    rows = []
    for dataset, score in board.downstream:
        for name in METRICS:
            column = (dataset, name)
            if column not in board.columns:
                continue
            sign = 1 if higher_is_better(column) else -1
            result = rank_agreement(sign * board.column(column), board.column((dataset, score)))
            rows.append({"dataset": dataset, "metric": name, "score": score, **result._asdict()})
    columns = ["dataset", "metric", "score", "tau", "p", "methods"]
    return pd.DataFrame(rows, columns=columns)
