"""Draws all methods' fusion metrics over their time on a CPU, from docs/pairs.

    python -m scripts.quality_time docs/pairs docs/quality_time.svg

`scripts.comparison` says what the folder holds; the names in networks.json are rows.
"""

import json
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import pandas as pd
import typer
from matplotlib.axes import Axes

from scripts.comparison import leaderboard

METRICS = ("VIF", "Qabf")
PUBLISHED = "_published"


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of leaderboards and networks.json.")],
    plot: Annotated[Path, typer.Argument(help="The SVG file to write.")],
    dataset: str = "msrs",
) -> None:
    """Write the plot, one panel a metric."""
    board = leaderboard(folder)
    costs = json.loads((folder / "networks.json").read_bytes())["networks"]
    rows = [name for name in board.index if name in costs]
    seconds = pd.Series({name: costs[name]["cpu_ms"] / 1000 for name in rows})
    figure, panels = plt.subplots(1, len(METRICS), figsize=(14, 5.5), layout="constrained")
    for panel, metric in zip(panels, METRICS, strict=True):
        draw(panel, seconds, board.loc[rows, f"{dataset} {metric}"], f"{metric} on {dataset}")
    panels[0].legend(loc="lower left")
    plt.rcParams["svg.hashsalt"] = "quality_time"  # the same file each time
    figure.savefig(plot, metadata={"Date": None})


def draw(panel: Axes, seconds: "pd.Series[float]", values: "pd.Series[float]", title: str) -> None:
    """One point a row; the line joins the rows that no faster row beats."""
    best = values.loc[seconds.sort_values().index].cummax()
    front = [name for name in best.index if values[name] == best[name]]
    panel.plot(seconds[front], values[front], color="lightgray", zorder=0)
    kinds = {
        "trained here": [name for name in values.index if not name.endswith(PUBLISHED)],
        "published weights": [name for name in values.index if name.endswith(PUBLISHED)],
    }
    for label, names in kinds.items():
        panel.plot(seconds[names], values[names], "o", label=label)
    for number, (name, value) in enumerate(values.loc[seconds.sort_values().index].items()):
        offset = (4, -11 if number % 2 else 4)  # neighbors' names above and below
        text = str(name).removesuffix(PUBLISHED)
        panel.annotate(text, (seconds[name], value), offset, textcoords="offset points", fontsize=8)
    panel.set(title=title, xscale="log", xlabel="processor seconds of a 480×640 pair, one thread")
    panel.margins(x=0.12, y=0.08)


if __name__ == "__main__":
    typer.run(main)
