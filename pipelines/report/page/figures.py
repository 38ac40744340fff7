"""The plots of the page: quality against cost, ranks, tasks, agreement of metrics and tasks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isnan

import pandas as pd

from pipelines.report.day_night import ALL
from pipelines.report.gains import worth_of
from pipelines.report.leaderboard import Column
from pipelines.report.page import svg
from pipelines.report.page.cost_figures import cost_figures
from pipelines.report.page.figure import Figure
from pipelines.report.page.rank_diagram import critical_difference
from pipelines.report.page.ranks import Ranks, mean_ranks
from pipelines.report.page.standings import number
from pipelines.report.tables import Results


def figures(results: Results) -> list[Figure]:
    """All plots that the results allow."""
    ranks = {
        dataset: found
        for dataset, rows in results.board.fusion.items()
        if (found := mean_ranks({method: row.images for method, row in rows.items()}))
    }
    return [
        *cost_figures(results, ranks),
        *_ranks(ranks),
        *_gains(results),
        *_day_night(results),
        *_agreement(results),
    ]


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
        limits = [*rows["low"], *rows["high"], 0.0]
        x = svg.padded(f"difference in {score}", limits)
        title = f"{score} on {dataset} ({worth_of(rows['seeds'].iloc[0])})"
        charts.append(_forest(title, rows, x, list(results.table.rows)))
    yield Figure(
        "Gain over the visible image alone",
        "Score of each method less that of the visible images, with the 95 % interval of a paired "
        "bootstrap over test images and training seeds.",
        charts,
    )


def _forest(title: str, table: pd.DataFrame, x: svg.Axis, methods: Sequence[str]) -> str:
    rows = {str(row["method"]): row for row in table.to_dict("records")}

    def draw(name: str, y: float, across: Callable[[float], float]) -> list[str]:
        row, mark = rows[name], methods.index(name)
        low, high = across(row["low"]), across(row["high"])
        shown = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        return [
            f'<path class="line {svg.color(mark)}" d="M{low:.1f} {y:.1f}H{high:.1f}"/>',
            svg.dot(across(row["difference"]), y, mark, 5, f"{name}: {shown}"),
        ]

    found = ", ".join(f"{name} {row['difference']:+.3f}" for name, row in rows.items())
    return _rows(x, [*rows], draw, f"{title}: {found}", title)


def _rows(
    x: svg.Axis,
    names: Sequence[str],
    draw: Callable[[str, float, Callable[[float], float]], list[str]],
    alt: str,
    title: str = "",
) -> str:
    """A chart with a row for each method, its name on the left.

    Args:
        x: the axis below; if it has a zero inside, a line marks it.
        draw: the marks of a method, from its name, its height, and where values lie.
        alt: describes the chart to screen readers.
        title: above the chart.
    """
    line, top, left = 24, 34 if title else 20, 16 + svg.text_width(map(svg.short_name, names))
    width = max(330 + left, 16 + svg.text_width([title]))
    bottom = top + line * len(names) + 2

    def across(value: float) -> float:
        return left + x.place(value) * (width - left - 14)

    parts = [svg.text(8, 16, title, css="name")] if title else []
    for value, words in x.labeled_ticks():
        parts.append(f'<path class="rule" d="M{across(value):.1f} {top - 8}V{bottom}"/>')
        parts.append(svg.text(across(value), bottom + 15, words, "middle", "tick"))
    if x.low < 0 < x.high:
        parts.append(f'<path class="axis" d="M{across(0):.1f} {top - 8}V{bottom}"/>')
    parts.append(svg.text((left + width) / 2, bottom + 34, x.name, "middle", "name"))
    for index, name in enumerate(names):
        y = top + line * (index + 0.5)
        parts += draw(name, y, across)
        parts.append(svg.text(left - 8, y + 4, svg.short_name(name), "end", "label"))
    return svg.picture(width, bottom + 40, parts, alt)


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
    days = {str(name): row for name, row in values.to_dict("index").items()}

    def draw(name: str, y: float, across: Callable[[float], float]) -> list[str]:
        row, mark = days[name], methods.index(name)
        day, night = across(row["day"]), across(row["night"])
        return [
            f'<path class="line {svg.color(mark)}" d="M{day:.1f} {y:.1f}H{night:.1f}"/>',
            svg.dot(day, y, mark, 5, f"{name}: day {row['day']:.3f}", "open"),
            svg.dot(night, y, mark, 5, f"{name}: night {row['night']:.3f}"),
        ]

    found = ", ".join(
        f"{name} day {row['day']:.3f} night {row['night']:.3f}" for name, row in days.items()
    )
    x = svg.padded(title, [*values["day"], *values["night"]])
    return _rows(x, [*days], draw, f"{title}: {found}")


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
