"""Which fusion metrics rank methods as detection does: Kendall's τ as table and plot.

    python -m scripts.agreement docs/detection docs/agreement.svg

`python -m scripts.tables agreement docs/detection` writes the table into docs/results.md. The
report of a single run has the same τ, with intervals over its test images and seeds. Here, rows
may come from several runs, and the intervals are over the choice of methods.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import typer

from fusion.metrics.names import LOWER_IS_BETTER, METRIC_NAMES
from pipelines.report.bootstrap import interval
from pipelines.report.comparison import rank_agreement, rank_correlations
from pipelines.report.markdown import markdown_table
from scripts.runs import joined_board

SCORE = "mAP@0.5"
DRAWS = 4000


class Tau(NamedTuple):
    """A metric's τ_b with mAP@0.5, its 95 % bootstrap interval over rows, p, and the rows."""

    metric: str
    tau: float
    low: float
    high: float
    p: float
    rows: int


def main(results: Path, plot: Path) -> None:
    """Draw τ of every fusion metric with mAP@0.5, and its interval, to PLOT."""
    found = agreement(results)
    figure, axes = plt.subplots(figsize=(6.4, 0.32 * len(found) + 1.2), layout="constrained")
    places = range(len(found))[::-1]
    low, high = ([getattr(row, end) for row in found] for end in ("low", "high"))
    axes.hlines(places, low, high, color="tab:blue", linewidth=2)
    axes.plot([row.tau for row in found], places, "o", color="tab:blue")
    axes.axvline(0, color="gray", linestyle="--", linewidth=1)
    axes.set_yticks(list(places), [row.metric for row in found])
    rows = max(row.rows for row in found)
    axes.set(xlim=(-1.05, 1.05), xlabel=f"Kendall's τ with {SCORE}, {rows} rows")
    figure.savefig(plot)


def agreement(results: Path) -> list[Tau]:
    """τ of every metric, the highest first; metrics of which less is better count downward.

    Args:
        results: folder with `leaderboard.csv` of the report stage, or with a folder for each of
            several runs.
    """
    rows = joined_board(results)
    score = next(name for name in rows.columns if name.endswith(f" {SCORE}"))
    dataset = score.removesuffix(SCORE)
    measured = [name for name in METRIC_NAMES if dataset + name in rows.columns]
    found = [_tau(name, rows[dataset + name], rows[score]) for name in measured]
    return sorted((row for row in found if not np.isnan(row.tau)), key=lambda row: -row.tau)


def _tau(metric: str, values: pd.Series, scores: pd.Series) -> Tau:
    both = pd.concat([-values if metric in LOWER_IS_BETTER else values, scores], axis=1).dropna()
    result = rank_agreement(both.iloc[:, 0], both.iloc[:, 1])
    if np.isnan(result.tau):
        return Tau(metric, result.tau, result.tau, result.tau, result.p, len(both))
    drawn = np.random.default_rng(0).integers(len(both), size=(len(both), DRAWS))
    first, second = (column[drawn] for column in both.to_numpy().T)
    draws = rank_correlations(first, second)
    return Tau(metric, result.tau, *interval(np.array([result.tau, *draws])), result.p, len(both))


def agreement_table(results: Path) -> str:
    """τ with its 95 % interval and p, both over the choice of methods."""
    lines = [
        [
            row.metric,
            f"{row.tau:+.2f}",
            f"[{row.low:+.2f}, {row.high:+.2f}]",
            f"{row.p:.3f}",
            str(row.rows),
        ]
        for row in agreement(results)
    ]
    return markdown_table(["metric", f"τ with {SCORE}", "interval", "p", "rows"], lines)


if __name__ == "__main__":
    typer.run(main)
