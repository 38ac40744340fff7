"""The plots of the page: quality against cost, ranks, tasks, agreement of metrics and tasks."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd

from pipelines.report.day_night import ALL
from pipelines.report.gains import worth_of
from pipelines.report.leaderboard import Column, higher_is_better
from pipelines.report.page import svg
from pipelines.report.page.rank_diagram import critical_difference
from pipelines.report.page.ranks import Ranks, mean_ranks
from pipelines.report.page.standings import number, short
from pipelines.report.tables import Results

MEAN_RANK = "mean rank"


@dataclass(frozen=True)
class Figure:
    """Charts below one title.

    legend: name the methods, where the charts do not.
    folded: shown on demand.
    """

    title: str
    caption: str
    charts: list[str]
    legend: bool = False
    folded: bool = False


def figures(results: Results) -> list[Figure]:
    """All plots that the results allow."""
    ranks = {
        dataset: found
        for dataset, rows in results.board.fusion.items()
        if (found := mean_ranks({method: row.images for method, row in rows.items()}))
    }
    return [
        *_costs(results, ranks),
        *_ranks(ranks),
        *_gains(results),
        *_day_night(results),
        *_agreement(results),
    ]


def _costs(results: Results, ranks: Mapping[str, Ranks]) -> Iterator[Figure]:
    """Quality against time, with the methods that no other beats in both."""
    times = {m: cost.milliseconds for m, cost in results.costs.items() if cost.milliseconds}
    charts = [
        _pareto(results, times, column, values)
        for column in results.table.downstream
        if len(values := _known(results, column, times)) > 1
    ]
    charts += [
        _pareto(results, times, (dataset, MEAN_RANK), values)
        for dataset, found in ranks.items()
        if len(values := {m: rank for m, rank in found.means.items() if m in times}) > 1
    ]
    if charts:
        devices = {cost.device for cost in results.costs.values() if cost.device}
        threads = {cost.threads for cost in results.costs.values() if cost.threads}
        noun = "thread" if threads == {1} else "threads"
        where = f"{', '.join(sorted(devices))}, {', '.join(map(str, sorted(threads)))} {noun}"
        yield Figure(
            "Quality against cost",
            "Time to fuse a pair of 480×640 pixels, and quality: the scores of the tasks, and the "
            "mean rank over all fusion metrics and test images. The larger a mark, the more "
            "learned parameters. The line joins the named methods, which no other beats in both. "
            f"Measured on {where}.",
            charts,
            legend=True,
        )


def _known(results: Results, column: Column, among: Collection[str]) -> dict[str, float]:
    values = {method: row[column] for method, row in results.table.rows.items()}
    return {m: value for m, value in values.items() if m in among and not isnan(value)}


def _pareto(
    results: Results, times: Mapping[str, float], column: Column, values: Mapping[str, float]
) -> str:
    (dataset, quality), higher = column, column[1] != MEAN_RANK and higher_is_better(column)
    points = {method: (times[method], value) for method, value in values.items()}
    x = svg.padded("milliseconds (log scale)", [time for time, _ in points.values()], log=True)
    y = svg.padded(quality if higher else f"{quality} (1 is best)", list(values.values()))
    chart = svg.Chart(x, y, 390, 290, title=f"{quality} on {dataset}")
    chart.frame()
    front = _front(list(points.values()), higher)
    chart.line(front, 0, "front")
    methods = list(results.table.rows)
    for method, (time, value) in points.items():
        size = results.costs[method].parameters or 0
        title = f"{method}: {number(value)}, {time:.3g} ms, {short(size)} parameters"
        chart.dot(time, value, methods.index(method), 5 + min(6, size**0.25 / 12), title)
    best = [method for method, point in points.items() if point in front]
    for method in best:
        across, up = chart.at(*points[method])
        side = "end" if across > chart.width / 2 else "start"
        left, top = across + (-10 if side == "end" else 10), up + (-5 if higher else 14)
        chart.text(left, top, svg.short_name(method), side, "tick halo")
    return chart.svg(f"{chart.title} against milliseconds; on the front: {', '.join(best)}")


def _front(points: Sequence[tuple[float, float]], higher: bool) -> list[tuple[float, float]]:
    """The points that no other beats in both time and quality, by time."""
    front: list[tuple[float, float]] = []
    for time, value in sorted(points, key=lambda p: (p[0], -p[1] if higher else p[1])):
        if not front or (value > front[-1][1] if higher else value < front[-1][1]):
            front.append((time, value))
    return front


def _ranks(ranks: Mapping[str, Ranks]) -> Iterator[Figure]:
    """Critical-difference diagrams."""
    if ranks:
        yield Figure(
            "Ranks over the test images",
            "Mean rank of each method over all fusion metrics and test images; 1 is best. A bar "
            "joins methods whose ranks differ by less than the critical difference (CD) of the "
            "Nemenyi test after Friedman's, at 5 %.",
            [critical_difference(dataset, found) for dataset, found in ranks.items()],
        )


def _gains(results: Results) -> Iterator[Figure]:
    gains = results.gains
    if gains.empty:
        return
    charts = []
    for (dataset, score), rows in gains.groupby(["dataset", "score"], sort=False):
        table = rows.iloc[::-1]
        limits = [*table["low"], *table["high"], 0.0]
        x = svg.padded(f"difference in {score}", limits)
        title = f"{score} on {dataset} ({worth_of(rows['seeds'].iloc[0])})"
        charts.append(_forest(title, table, x, list(results.table.rows)))
    yield Figure(
        "Gain over the visible image alone",
        "Score of each method less that of the visible images, with the 95 % interval of a paired "
        "bootstrap over test images and training seeds.",
        charts,
    )


def _forest(title: str, table: pd.DataFrame, x: svg.Axis, methods: Sequence[str]) -> str:
    names = table["method"].tolist()
    line, left = 24, _names_width(names)
    width = max(330 + left, 16 + svg.text_width([title]))
    height = 34 + line * len(table) + 42
    scale = svg.Chart(x, svg.Axis("", 0, 1), width, height)

    def across(value: float) -> float:
        return left + x.place(value) * (width - left - 14)

    bottom = height - 40
    parts = [svg.text(8, 16, title, css="name")]
    for value, words in x.labeled_ticks():
        parts.append(f'<path class="rule" d="M{across(value):.1f} 26V{bottom}"/>')
        parts.append(svg.text(across(value), bottom + 15, words, "middle", "tick"))
    parts.append(f'<path class="axis" d="M{across(0):.1f} 26V{bottom}"/>')
    parts.append(svg.text((left + width) / 2, height - 6, x.name, "middle", "name"))
    for index, row in enumerate(table.to_dict("records")):
        y = bottom - line * (index + 0.6)
        mark = methods.index(row["method"])
        ends = across(row["low"]), across(row["high"])
        css = f"line {svg.color(mark)}"
        parts.append(f'<path class="{css}" d="M{ends[0]:.1f} {y:.1f}H{ends[1]:.1f}"/>')
        shown = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        parts.append(svg.dot(across(row["difference"]), y, mark, 5, f"{names[index]}: {shown}"))
        parts.append(svg.text(left - 8, y + 4, svg.short_name(names[index]), "end", "label"))
    alt = f"{title}: " + ", ".join(
        f"{name} {row['difference']:+.3f}"
        for name, row in zip(names, table.to_dict("records"), strict=True)
    )
    return svg.picture(scale.width, height, parts, alt)


def _names_width(names: Iterable[str]) -> float:
    return 16 + svg.text_width(map(svg.short_name, names))


def _day_night(results: Results) -> Iterator[Figure]:
    means = results.parts[results.parts["class"] == ALL].dropna(subset="value")
    charts = []
    for (dataset, score), rows in means.groupby(["dataset", "score"], sort=False):
        values = rows.pivot(index="method", columns="subset", values="value")
        if {"day", "night"} <= {*values.columns}:
            order = [name for name in results.table.rows if name in values.index]
            charts.append(
                _dumbbell(f"m{score} on {dataset}", values.loc[order], list(results.table.rows))
            )
    if charts:
        caption = "Each task's score on the day images (open) and on the night images (filled)."
        yield Figure("Day and night", caption, charts)


def _dumbbell(title: str, values: pd.DataFrame, methods: Sequence[str]) -> str:
    x = svg.padded(title, [*values["day"], *values["night"]])
    line, left = 24, _names_width(values.index)
    width = 330 + left
    height = 20 + line * len(values) + 42
    bottom = height - 40
    parts = []

    def across(value: float) -> float:
        return left + x.place(value) * (width - left - 14)

    for value, words in x.labeled_ticks():
        parts.append(f'<path class="rule" d="M{across(value):.1f} 10V{bottom}"/>')
        parts.append(svg.text(across(value), bottom + 15, words, "middle", "tick"))
    parts.append(svg.text((left + width) / 2, height - 6, title, "middle", "name"))
    for index, (method, row) in enumerate(values.iterrows()):
        y = 20 + line * (index + 0.5)
        day, night = across(row["day"]), across(row["night"])
        mark = methods.index(str(method))
        css = svg.color(mark)
        parts.append(f'<path class="line {css}" d="M{day:.1f} {y:.1f}H{night:.1f}"/>')
        parts.append(svg.dot(day, y, mark, 5, f"{method}: day {row['day']:.3f}", "open"))
        parts.append(svg.dot(night, y, mark, 5, f"{method}: night {row['night']:.3f}"))
        parts.append(svg.text(left - 8, y + 4, svg.short_name(str(method)), "end", "label"))
    alt = f"{title}: " + ", ".join(
        f"{method} day {row['day']:.3f} night {row['night']:.3f}"
        for method, row in values.iterrows()
    )
    return svg.picture(width, height, parts, alt)


def _agreement(results: Results) -> Iterator[Figure]:
    """Kendall's τ of every metric with every task, then the points behind each."""
    ranks = results.ranks.dropna(subset="tau")
    if ranks.empty:
        return
    scores = list(dict.fromkeys(zip(ranks["dataset"], ranks["score"], strict=True)))
    charts = []
    for dataset, score in scores:
        rows = ranks[(ranks["dataset"] == dataset) & (ranks["score"] == score)]
        charts += [
            _scatter(results, (dataset, row["metric"]), (dataset, score), row["tau"])
            for row in rows.to_dict("records")
        ]
    yield Figure(
        "Does a metric rank the methods as the task does?",
        "A point is a method. Kendall's τ is 1 where both rank alike, 0 where they are unrelated, "
        "−1 where one ranks the other way round; metrics of which less is better count downward.",
        charts,
        legend=True,
        folded=True,
    )


def _scatter(results: Results, metric: Column, score: Column, tau: float) -> str:
    rows = results.table.rows
    points = {
        method: (row[metric], row[score])
        for method, row in rows.items()
        if not (isnan(row[metric]) or isnan(row[score]))
    }
    x = svg.padded(metric[1], [x for x, _ in points.values()])
    y = svg.padded(" ".join(score), [y for _, y in points.values()])
    chart = svg.Chart(x, y, 220, 180)
    chart.frame()
    for method, point in points.items():
        title = f"{method}: {number(point[0])}, {number(point[1])}"
        chart.dot(*point, list(rows).index(method), 4.5, title)
    chart.text(chart.width - 18, 26, f"τ = {tau:+.2f}", "end", "label")
    return chart.svg(f"{' '.join(score)} against {metric[1]}: Kendall's τ {tau:+.2f}")
