"""The plots of the page: quality against cost, ranks, tasks, agreement of metrics and tasks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
