"""The plots of the page: quality against cost, ranks, tasks, agreement of metrics and tasks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd

from pipelines.report.day_night import ALL
from pipelines.report.gains import worth_of
from pipelines.report.leaderboard import Column, higher_is_better
from pipelines.report.page import svg
from pipelines.report.page.ranks import mean_ranks
from pipelines.report.page.standings import number, short
from pipelines.report.tables import Results


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
    found = [*_costs(results), *_ranks(results), *_gains(results), *_day_night(results)]
    return found + list(_agreement(results))


def _costs(results: Results) -> Iterator[Figure]:
    """Quality against time, with the methods that no other beats in both."""
    columns = results.table.downstream or results.table.fusion[:1]
    times = {m: cost.milliseconds for m, cost in results.costs.items() if cost.milliseconds}
    charts = [chart for column in columns if (chart := _pareto(results, column, times))]
    if charts:
        devices = {cost.device for cost in results.costs.values() if cost.device}
        threads = {cost.threads for cost in results.costs.values() if cost.threads}
        where = ", ".join(sorted(devices)) + f", {', '.join(map(str, sorted(threads)))} threads"
        yield Figure(
            "Quality against cost",
            "Time to fuse a pair of 480×640 pixels, and quality; the larger a mark, the more "
            "learned parameters. The line joins the methods that no other beats in both. "
            f"Measured on {where}.",
            charts,
            legend=True,
        )


def _pareto(results: Results, column: Column, times: Mapping[str, float]) -> str:
    rows = {
        method: (times[method], results.table.rows[method][column])
        for method in results.table.rows
        if method in times and not isnan(results.table.rows[method][column])
    }
    if len(rows) < 2:
        return ""
    x = svg.padded("milliseconds (log scale)", [time for time, _ in rows.values()], log=True)
    y = svg.padded(" ".join(column), [value for _, value in rows.values()])
    chart = svg.Chart(x, y)
    chart.frame()
    chart.line(_front(list(rows.values()), higher_is_better(column)), 0, "front")
    methods = list(results.table.rows)
    for method, (time, value) in rows.items():
        size = results.costs[method].parameters or 0
        title = f"{method}: {number(value)}, {time:.3g} ms, {short(size)} parameters"
        chart.dot(time, value, methods.index(method), 5 + min(6, size**0.25 / 12), title)
    front = [m for m, point in rows.items() if point in _front(list(rows.values()), True)]
    return chart.svg(f"{' '.join(column)} against milliseconds; on the front: {', '.join(front)}")


def _front(points: Sequence[tuple[float, float]], higher: bool) -> list[tuple[float, float]]:
    """The points that no other beats in both time and quality, by time."""
    front: list[tuple[float, float]] = []
    for time, value in sorted(points, key=lambda p: (p[0], -p[1] if higher else p[1])):
        if not front or (value > front[-1][1] if higher else value < front[-1][1]):
            front.append((time, value))
    return front


def _ranks(results: Results) -> Iterator[Figure]:
    """Critical-difference diagrams."""
    charts = []
    for dataset, rows in results.board.fusion.items():
        ranks = mean_ranks({method: row.images for method, row in rows.items()})
        if ranks and len(ranks.means) > 2:
            charts.append(_critical_difference(dataset, ranks.means, ranks.difference, ranks.p))
    if charts:
        yield Figure(
            "Ranks over the test images",
            "Mean rank of each method over all fusion metrics and test images; 1 is best. A bar "
            "joins methods whose ranks differ by less than the critical difference (CD) of the "
            "Nemenyi test after Friedman's, at 5 %.",
            charts,
        )


def _critical_difference(
    dataset: str, means: Mapping[str, float], difference: float, p: float
) -> str:
    order = sorted(means, key=means.__getitem__)
    highest, left, width, line = len(order), 150.0, 460.0, 18.0
    across = width - 2 * left
    rows = (len(order) + 1) // 2

    def place(rank: float) -> float:
        return left + (rank - 1) / (highest - 1) * across

    groups = _cliques([means[m] for m in order], difference)
    top = 62.0
    base = top + 12 + 8 * len(groups)
    parts = [svg.text(8, 16, f"{dataset}: Friedman p = {p:.2g}", css="name")]
    parts.append(f'<path class="axis" d="M{place(1):.1f} {top}H{place(highest):.1f}"/>')
    for rank in range(1, highest + 1):
        parts.append(f'<path class="axis" d="M{place(rank):.1f} {top}v-5"/>')
        parts.append(svg.text(place(rank), top - 9, str(rank), "middle", "tick"))
    end = place(1) + difference / (highest - 1) * across
    parts.append(f'<path class="cd" d="M{place(1):.1f} 36H{end:.1f}m0 -4v8M{place(1):.1f} 32v8"/>')
    parts.append(svg.text(min(end, width - 60) + 6, 40, f"CD = {difference:.2f}", css="tick"))
    for index, (first, last) in enumerate(groups):
        y = top + 8 + 8 * index
        ends = place(means[order[first]]) - 3, place(means[order[last]]) + 3
        parts.append(f'<path class="clique" d="M{ends[0]:.1f} {y:.1f}H{ends[1]:.1f}"/>')
    for index, method in enumerate(order):
        right = index >= rows
        y = base + line * ((len(order) - 1 - index) if right else index) + 8
        x, edge = place(means[method]), width - left + 8 if right else left - 8
        parts.append(f'<path class="axis" d="M{x:.1f} {top}V{y:.1f}H{edge:.1f}"/>')
        words = f"{method}  {means[method]:.2f}" if not right else f"{means[method]:.2f}  {method}"
        place_of_words = edge + 4 if right else edge - 4
        parts.append(svg.text(place_of_words, y + 4, words, "start" if right else "end", "label"))
    alt = f"Mean ranks on {dataset}: " + ", ".join(f"{m} {means[m]:.2f}" for m in order)
    return svg.picture(width, base + line * rows + 12, parts, alt)


def _cliques(means: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """First and last index of the longest runs that span less than the critical difference."""
    found: list[tuple[int, int]] = []
    for first, low in enumerate(means):
        last = max(i for i, mean in enumerate(means) if mean - low <= difference)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


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
    width, line, left = 460, 24, 130
    height = 34 + line * len(table) + 42
    scale = svg.Chart(x, svg.Axis("", 0, 1), width, height)

    def across(value: float) -> float:
        return left + x.place(value) * (width - left - 14)

    bottom = height - 40
    parts = [svg.text(8, 16, title, css="name")]
    for value in x.ticks():
        parts.append(f'<path class="rule" d="M{across(value):.1f} 26V{bottom}"/>')
        parts.append(svg.text(across(value), bottom + 15, svg.tick(value), "middle", "tick"))
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
        parts.append(svg.text(left - 8, y + 4, names[index], "end", "label"))
    alt = f"{title}: " + ", ".join(
        f"{name} {row['difference']:+.3f}"
        for name, row in zip(names, table.to_dict("records"), strict=True)
    )
    return svg.picture(scale.width, height, parts, alt)


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
    width, line, left = 460, 24, 130
    height = 20 + line * len(values) + 42
    bottom = height - 40
    parts = []

    def across(value: float) -> float:
        return left + x.place(value) * (width - left - 14)

    for value in x.ticks():
        parts.append(f'<path class="rule" d="M{across(value):.1f} 10V{bottom}"/>')
        parts.append(svg.text(across(value), bottom + 15, svg.tick(value), "middle", "tick"))
    parts.append(svg.text((left + width) / 2, height - 6, title, "middle", "name"))
    for index, (method, row) in enumerate(values.iterrows()):
        y = 20 + line * (index + 0.5)
        day, night = across(row["day"]), across(row["night"])
        mark = methods.index(str(method))
        css = svg.color(mark)
        parts.append(f'<path class="line {css}" d="M{day:.1f} {y:.1f}H{night:.1f}"/>')
        parts.append(f'<circle class="open {css}" cx="{day:.1f}" cy="{y:.1f}" r="5"/>')
        parts.append(svg.dot(night, y, mark, 5, f"{method}: night {row['night']:.3f}"))
        parts.append(svg.text(left - 8, y + 4, str(method), "end", "label"))
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
