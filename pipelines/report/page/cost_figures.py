"""The plots of quality against cost: time, operations, parameters, training."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from pipelines.report.costs import RowCost
from pipelines.report.leaderboard import Column, higher_is_better
from pipelines.report.page import svg
from pipelines.report.page.figure import Figure
from pipelines.report.page.ranks import Ranks
from pipelines.report.page.standings import number, short
from pipelines.report.tables import Results

MEAN_RANK = "mean rank"


def _measured_on(costs: Collection[RowCost]) -> str:
    devices = {cost.device for cost in costs if cost.device}
    threads = {cost.threads for cost in costs if cost.threads}
    noun = "thread" if threads == {1} else "threads"
    counts = ", ".join(map(str, sorted(threads)))
    return f" Measured on {', '.join(sorted(devices))}, {counts} {noun}."


def _trained_on(costs: Collection[RowCost]) -> str:
    return f" Trained on {', '.join(sorted({c.trained_on for c in costs if c.trained_on}))}."


@dataclass(frozen=True)
class _Cost:
    """A cost as an axis.

    title: of the figure.
    unit: as the axis and tooltips say it.
    value: of a row; None and 0, which a log axis cannot show, leave the row out.
    meaning: a sentence of the figure's caption.
    where: a sentence with the devices that it depends on.
    """

    title: str
    unit: str
    value: Callable[[RowCost], float | None]
    meaning: str
    where: Callable[[Collection[RowCost]], str] = lambda _: ""


_COSTS = (
    _Cost(
        "Quality against time",
        "ms",
        lambda cost: cost.milliseconds,
        "Milliseconds to fuse a pair of 480×640 pixels.",
        _measured_on,
    ),
    _Cost(
        "Quality against operations",
        "GFLOP",
        lambda cost: cost.gflop,
        "10⁹ floating-point operations to fuse a pair of 480×640 pixels; methods without "
        "convolutions and matrix products are left out.",
    ),
    _Cost(
        "Quality against size",
        "parameters",
        lambda cost: cost.parameters,
        "Number of learned parameters; methods without any are left out.",
    ),
    _Cost(
        "Quality against training",
        "training minutes",
        lambda cost: cost.minutes,
        "Minutes of training in all phases; methods that were trained elsewhere, or not at all, "
        "are left out.",
        _trained_on,
    ),
)


def cost_figures(results: Results, ranks: Mapping[str, Ranks]) -> Iterator[Figure]:
    """One figure a cost that two methods have; those after the first are folded.

    A chart shows a score of a task, or the mean rank over all fusion metrics of a data set, and
    joins the methods that no other beats in both.
    """
    qualities: dict[Column, dict[str, float]] = {
        column: _known(results, column) for column in results.table.downstream
    }
    qualities |= {(dataset, MEAN_RANK): dict(found.means) for dataset, found in ranks.items()}
    shown = 0
    for cost in _COSTS:
        charts = [
            _pareto(results, cost, column, points)
            for column, values in qualities.items()
            if len(points := _points(results, cost, values)) > 1
        ]
        if charts:
            where = cost.where(results.costs.values())
            yield Figure(
                cost.title,
                f"{cost.meaning} Quality is the score of a task, or the mean rank over all fusion "
                "metrics and test images. The larger a mark, the more learned parameters. The line "
                f"joins the named methods, which no other beats in both.{where}",
                charts,
                legend=True,
                folded=shown > 0,
            )
            shown += 1


def _known(results: Results, column: Column) -> dict[str, float]:
    values = {method: row[column] for method, row in results.table.rows.items()}
    return {method: value for method, value in values.items() if not isnan(value)}


def _points(
    results: Results, cost: _Cost, values: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    """Method -> cost and quality."""
    return {
        method: (paid, value)
        for method, value in values.items()
        if method in results.costs and (paid := cost.value(results.costs[method]))
    }


def _pareto(
    results: Results, cost: _Cost, column: Column, points: Mapping[str, tuple[float, float]]
) -> str:
    (dataset, quality), higher = column, column[1] != MEAN_RANK and higher_is_better(column)
    x = svg.padded(f"{cost.unit} (log scale)", [paid for paid, _ in points.values()], log=True)
    y_name = quality if higher else f"{quality} (1 is best)"
    y = svg.padded(y_name, [value for _, value in points.values()])
    chart = svg.Chart(x, y, 390, 290, title=f"{quality} on {dataset}")
    chart.frame()
    front = _front(list(points.values()), higher)
    chart.line(front, 0, "front")
    methods = list(results.table.rows)
    for method, (paid, value) in points.items():
        size = results.costs[method].parameters or 0
        facts = [number(value), f"{short(paid)} {cost.unit}", f"{short(size)} parameters"]
        title = f"{method}: {', '.join(dict.fromkeys(facts))}"
        chart.dot(paid, value, methods.index(method), 5 + min(6, size**0.25 / 12), title)
    best = [method for method, point in points.items() if point in front]
    for method in best:
        _name(chart, points[method], method, -5 if higher else 14)
    return chart.svg(f"{chart.title} against {cost.unit}; on the front: {', '.join(best)}")


def _name(chart: svg.Chart, point: tuple[float, float], method: str, down: float) -> None:
    """Write a method's name beside its mark, on the side that has room."""
    across, up = chart.at(*point)
    name = svg.short_name(method)
    width = svg.text_width([name])
    if across + 10 + width < chart.width:
        chart.text(across + 10, up + down, name, css="tick halo")
    elif across - 10 - width > chart.left:
        chart.text(across - 10, up + down, name, "end", "tick halo")
    else:
        chart.text(chart.left, up + down, name, css="tick halo")


def _front(points: Sequence[tuple[float, float]], higher: bool) -> list[tuple[float, float]]:
    """The points that no other beats in both cost and quality, by cost."""
    front: list[tuple[float, float]] = []
    for paid, value in sorted(points, key=lambda p: (p[0], -p[1] if higher else p[1])):
        if not front or (value > front[-1][1] if higher else value < front[-1][1]):
            front.append((paid, value))
    return front
