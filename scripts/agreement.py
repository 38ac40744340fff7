"""Which fusion metrics rank methods as detection does: the report's Kendall τ as table and plot.

    python -m scripts.agreement results docs/agreement.svg

`python -m scripts.tables agreement results` writes the table into docs/results.md.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import typer

from pipelines.report.markdown import markdown_table

SCORE = "mAP@0.5"


def main(results: Path, plot: Path) -> None:
    """Draw τ of every fusion metric with mAP@0.5, and its interval, to PLOT."""
    table = agreement(results)
    figure, axes = plt.subplots(figsize=(6.4, 0.32 * len(table) + 1.2), layout="constrained")
    places = range(len(table))[::-1]
    axes.hlines(places, table["low"], table["high"], color="tab:blue", linewidth=2)
    axes.plot(table["tau"], places, "o", color="tab:blue")
    axes.axvline(0, color="gray", linestyle="--", linewidth=1)
    axes.set_yticks(list(places), table.index.tolist())
    axes.set(xlim=(-1.05, 1.05), xlabel=f"Kendall's τ with {SCORE}, {table['methods'].max()} rows")
    figure.savefig(plot)


def agreement(results: Path) -> pd.DataFrame:
    """τ with mAP@0.5 by metric, the highest first; metrics of which less is better count downward.

    Args:
        results: folder with `rank_agreement.csv` of the report stage.
    """
    table = pd.read_csv(results / "rank_agreement.csv", index_col="metric")
    found = table[table["score"] == SCORE].dropna(subset="tau")
    return found.sort_values("tau", ascending=False, kind="stable")


def agreement_table(results: Path) -> str:
    """τ with its 95 % interval over test images and seeds, and p over the choice of methods."""
    lines = [
        [
            metric,
            f"{row['tau']:+.2f}",
            f"[{row['low']:+.2f}, {row['high']:+.2f}]",
            f"{row['p']:.3f}",
            str(row["methods"]),
        ]
        for metric, row in agreement(results).iterrows()
    ]
    return markdown_table(["metric", f"τ with {SCORE}", "interval", "p", "rows"], lines)


if __name__ == "__main__":
    typer.run(main)
