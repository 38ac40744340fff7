"""The plots of training and of the tasks: curves and confusion matrices."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detection.matches import RECALLS, precision_recall
from pipelines.report.board import Board
from pipelines.report.page import svg
from pipelines.report.page.figure import Figure
from pipelines.scores.detection import DetectionScores


@dataclass(frozen=True)
class Curve:
    """A value over the course of training: columns `step` and the value."""

    title: str
    table: pd.DataFrame


@dataclass(frozen=True)
class Confusion:
    """Counts, K×K, rows truth, columns prediction."""

    title: str
    names: Sequence[str]
    counts: NDArray[np.integer]


def task_figures(
    board: Board, curves: Sequence[Curve], confusions: Sequence[Confusion]
) -> Iterator[Figure]:
    """Precision and recall, confusion matrices and training curves."""
    for dataset, rows in board.detection.items():
        yield Figure(
            f"Precision and recall on {dataset}",
            "By class, at IoU 0.5, mean over training seeds; the area below a line is the class's "
            "average precision.",
            _precision_recall(rows, list(board.methods)),
            legend=True,
        )
    if confusions:
        yield Figure(
            "Confusion matrices",
            "Share of each true class (row) that was given each class (column), in percent, of all "
            "training seeds together.",
            [_heat_map(confusion) for confusion in confusions],
            folded=True,
        )
    if curves:
        yield Figure(
            "Training curves",
            "Loss of each training phase, mean over an epoch.",
            [_curve(curve) for curve in curves],
        )


def _precision_recall(
    rows: Mapping[str, Mapping[int, DetectionScores]], methods: Sequence[str]
) -> list[str]:
    charts = []
    found = {method: _mean_precision(runs.values()) for method, runs in rows.items()}
    classes = list(next(iter(next(iter(rows.values())).values())).objects)
    for index, name in enumerate(classes):
        lines = {
            method: precision[index]
            for method, precision in found.items()
            if not np.isnan(precision[index]).any()
        }
        if not lines:
            continue
        axes = svg.Axis(f"recall, {name}", 0, 1), svg.Axis("precision", 0, 1)
        chart = svg.Chart(*axes, 300, 220)
        chart.frame()
        for method, values in lines.items():
            points = list(zip(RECALLS.tolist(), values.tolist(), strict=True))
            chart.line(points, methods.index(method))
        areas = ", ".join(f"{m} {float(np.mean(v)):.2f}" for m, v in lines.items())
        charts.append(chart.svg(f"Precision over recall of {name}; average precision: {areas}"))
    return charts


def _mean_precision(runs: Iterable[DetectionScores]) -> NDArray[np.float64]:
    """Precision C×101, mean over the seeds."""
    mean: NDArray[np.float64] = np.mean([precision_recall(run.matches) for run in runs], axis=0)
    return mean


def _heat_map(confusion: Confusion) -> str:
    names, counts = confusion.names, confusion.counts
    present = np.flatnonzero(counts.sum(0) + counts.sum(1)).tolist()
    names, counts = [names[i] for i in present], counts[np.ix_(present, present)]
    shares = 100 * counts / counts.sum(1, keepdims=True).clip(1)
    cell, left, top = 30, 92, 66
    width, height = left + cell * len(names) + 12, top + cell * len(names) + 12
    parts = [svg.text(8, 16, confusion.title, css="name")]
    for index, name in enumerate(names):
        x, y = left + cell * (index + 0.5), top + cell * (index + 0.5)
        turn = f' transform="rotate(-40 {x:.1f} {top - 6})"'
        parts.append(svg.text(x, top - 6, name, "start", "tick", turn))
        parts.append(svg.text(left - 6, y + 4, name, "end", "tick"))
        for other, share in enumerate(shares[index].tolist()):
            place = f'x="{left + cell * other}" y="{top + cell * index}"'
            style = f'style="--share:{share:.0f}%"'
            parts.append(f'<rect class="heat" {place} width="{cell}" height="{cell}" {style}/>')
            if share >= 0.5:
                css = "heat-text strong" if share > 55 else "heat-text"
                across = left + cell * (other + 0.5)
                parts.append(svg.text(across, y + 4, f"{share:.0f}", "middle", css))
    right = ", ".join(f"{n} {s:.0f} %" for n, s in zip(names, np.diag(shares), strict=True))
    alt = f"Confusion matrix of {confusion.title}; right: {right}"
    return svg.picture(width + 40, height, parts, alt)


def _curve(curve: Curve) -> str:
    steps, values = (curve.table[name].tolist() for name in curve.table.columns[:2])
    x = svg.Axis("epoch", min(steps), max(steps) + (min(steps) == max(steps)), whole=True)
    y = svg.padded(str(curve.table.columns[1]), values)
    chart = svg.Chart(x, y, 300, 240, curve.title)
    chart.frame()
    chart.line(list(zip(steps, values, strict=True)), 0)
    last = f"{values[0]:.4g} at first, {values[-1]:.4g} at last"
    return chart.svg(f"{chart.y.name} of {curve.title}: {last}")
