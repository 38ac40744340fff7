"""Plots of the analyses (PNG)."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion.analysis.similarity import LayerSimilarity
from fusion.core.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sparsity_bars(summary: Mapping[str, Any], path: Path) -> None:
    """Figure 1 (a): P, the share of pairs in which infrared is below or above visible."""
    figure, axes = _figure(5, 3.2)
    names = list(summary["sparsity"])
    below = [100 * summary["sparsity"][name]["below"] for name in names]
    above = [100 * summary["sparsity"][name]["above"] for name in names]
    axes.bar(names, below, label="infrared < visible")
    axes.bar(names, above, bottom=below, label="infrared > visible")
    axes.set_ylabel("P, % of pairs")
    axes.legend(loc="lower right")
    _save(figure, path)


def divergence_scatter(summary: Mapping[str, Any], path: Path) -> None:
    """Figure 1 (b): the Jensen-Shannon divergence of every pair, colored by cluster."""
    figure, axes = _figure(5, 3.2)
    values = list(summary["divergence"]["values"].values())
    for label, group in enumerate(summary["divergence"]["clusters"]):
        inside = [index for index, value in enumerate(values) if value["cluster"] == label]
        heights = [values[index]["JS"] for index in inside]
        points = axes.scatter(inside, heights, s=12, label=f"{group['pairs']} pairs")
        axes.axhline(group["center"], color=points.get_facecolor()[0], linewidth=0.8)
    axes.set_xlabel("pair")
    axes.set_ylabel("JS divergence, bits")
    axes.legend()
    _save(figure, path)


def similarity_map(similarity: LayerSimilarity, path: Path) -> None:
    """Heat map of CKA: infrared layers down, visible layers across."""
    rows, columns = similarity.values.shape
    figure, axes = _figure(2.5 + 0.6 * columns, 1.5 + 0.5 * rows)
    image = axes.imshow(similarity.values.numpy(), vmin=0, vmax=1, cmap="viridis")
    axes.set_xticks(range(columns), similarity.visible, rotation=45, ha="right")
    axes.set_yticks(range(rows), similarity.infrared)
    axes.set_xlabel("visible")
    axes.set_ylabel("infrared")
    for row in range(rows):
        for column in range(columns):
            value = float(similarity.values[row, column])
            color = "white" if value < 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=color)
    figure.colorbar(image, label="linear CKA")
    _save(figure, path)


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure  # a second to import, and only drawing needs it

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure: "Figure", path: Path) -> None:
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    write_bytes(path, picture.getvalue())
