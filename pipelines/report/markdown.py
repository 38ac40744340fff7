"""The leaderboard as Markdown: one table per data set, then the statistics of differences."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isnan

import pandas as pd

from fusion.metrics.names import LOWER_IS_BETTER
from pipelines.report.board import Board
from pipelines.report.day_night import ALL
from pipelines.report.leaderboard import Column, Leaderboard
from pipelines.report.significance import as_good_as_best
from pipelines.report.tables import Results

Ties = Mapping[Column, Collection[str]]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, without a newline at its end.

    >>> print(markdown_table(["method", "SD"], [["average", 23.2], ["pomai", 33.4]]))
    | method | SD |
    |---|---|
    | average | 23.2 |
    | pomai | 33.4 |
    """
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])


def cell(value: float, best: bool) -> str:
    """Three digits after the point, two from ten on; the best is bold, NaN a dash.

    >>> cell(0.5, best=True), cell(12.345, best=False)
    ('**0.500**', '12.35')
    """
    if isnan(value):
        return "–"
    return f"**{_number(value)}**" if best else _number(value)


def to_markdown(results: Results, trivial: Collection[str], notes: Sequence[str]) -> str:
    """The best value of a column is bold.

    Args:
        results: all tables.
        trivial: the rows whose best value is repeated as the bar to take.
        notes: sentences below the tables.
    """
    table, ties = results.table, as_good_as_best(results.table, results.tests)
    sections = []
    for dataset in dict.fromkeys(dataset for dataset, _ in table.fusion):
        columns = [column for column in table.fusion if column[0] == dataset]
        header = [_header(name) for _, name in columns]
        shown = markdown_table(["method", *header], _rows(table, columns, ties, trivial))
        sections.append(f"**Fusion metrics on {dataset}**\n\n{shown}")
    if table.downstream:
        header = [*map(" ".join, table.downstream)]
        shown = markdown_table(["method", *header], _rows(table, table.downstream, {}, trivial))
        sections.append(f"**What the fused images are for**\n\n{shown}")
    sections += [
        _gains(results.gains),
        _day_night(results.parts),
        _costs(results.table),
        _stretching(results.board),
        _agreement(results.ranks),
    ]
    below = [
        "**bold**: best of the column; ≈: not significantly different from it (paired Wilcoxon "
        "signed-rank test, Holm-corrected over all pairs of methods, 5 %)",
        *notes,
    ]
    sections.append("\n".join(f"- {line}" for line in below))
    return "\n\n".join(section for section in sections if section) + "\n"


def _costs(table: Leaderboard) -> str:
    if not table.costs:
        return ""
    title = (
        "**What it costs**: size, and operations for a pair of 480×640 pixels; times, which no two "
        "runs share: `results/costs.csv`"
    )
    lines = [
        [method, *("–" if value is None else f"{value:,.10g}" for value in costs.values())]
        for method, costs in table.costs.items()
    ]
    names = next(iter(table.costs.values()))
    return f"{title}\n\n" + markdown_table(["method", *names], lines)


def _stretching(board: Board) -> str:
    """The table of what stretching alone would add to metrics; empty if no metric grows."""
    found: dict[Column, dict[str, float]] = {}
    for dataset, rows in board.fusion.items():
        for method, row in rows.items():
            for name, share in row.summary.stretching.items():
                found.setdefault((dataset, name), {})[method] = share
    columns = {column: shares for column, shares in found.items() if any(shares.values())}
    if not columns:
        return ""
    lines = [
        [method, *(_added(shares.get(method)) for shares in columns.values())]
        for method in board.methods
    ]
    title = "**What stretching every fused image to 0..255 would alone add**"
    return f"{title}\n\n" + markdown_table(["method", *map(" ".join, columns)], lines)


def _added(share: float | None) -> str:
    return "–" if share is None else f"+{share:.0%}"


def _rows(
    table: Leaderboard, columns: list[Column], ties: Ties, trivial: Collection[str]
) -> list[list[str]]:
    best = {column: table.best(column) for column in columns}
    lines = [
        [
            method,
            *(
                cell(row[column], best[column] == method)
                + (" ≈" if method in ties.get(column, ()) and not isnan(row[column]) else "")
                + _spread(table, column, method)
                for column in columns
            ),
        ]
        for method, row in table.rows.items()
    ]
    if trivial and set(trivial) != set(table.rows):
        lines.append(["*best trivial baseline*", *(_bar(table, c, trivial) for c in columns)])
    return lines


def _bar(table: Leaderboard, column: Column, trivial: Collection[str]) -> str:
    method = table.best(column, trivial)
    return "–" if method is None else f"{_number(table.rows[method][column])} {method}"


def _gains(gains: pd.DataFrame) -> str:
    """One column per score, one row per method; several seeds below each other."""
    if gains.empty:
        return ""
    header = list(dict.fromkeys(gains["dataset"] + " " + gains["score"]))
    lines = []
    for (method, seed), rows in gains.groupby(["method", "seed"], sort=False):
        cells = dict(zip(rows["dataset"] + " " + rows["score"], _intervals(rows), strict=True))
        label = f"{method}, seed {seed}" if gains["seed"].nunique() > 1 else str(method)
        lines.append([label, *(cells.get(name, "–") for name in header)])
    title = (
        "**Gain over the visible image alone** with 95 % bootstrap intervals over the test images; "
        "\\* where the interval leaves out 0"
    )
    return f"{title}\n\n" + markdown_table(["method", *header], lines)


def _intervals(rows: pd.DataFrame) -> list[str]:
    cells = []
    for difference, low, high in rows[["difference", "low", "high"]].to_numpy():
        star = " \\*" if low > 0 or high < 0 else ""
        cells.append(f"{difference:+.3f} [{low:+.3f}, {high:+.3f}]{star}")
    return cells


def _day_night(parts: pd.DataFrame) -> str:
    means = parts[parts["class"] == ALL]
    if means.empty:
        return ""
    names = [f"{row.dataset} m{row.score} {row.subset}" for row in means.itertuples()]
    table = means.assign(column=names).pivot(index="method", columns="column", values="value")
    header = list(dict.fromkeys(names))
    best = table.max()
    lines = [
        [method, *(cell(table.loc[method, n], table.loc[method, n] == best[n]) for n in header)]
        for method in dict.fromkeys(means["method"])
    ]
    title = "**Day and night apart**, means over the classes; every class: `results/day_night.csv`"
    return f"{title}\n\n" + markdown_table(["method", *header], lines)


def _agreement(agreement: pd.DataFrame) -> str:
    defined = agreement.dropna(subset="tau")
    if defined.empty:
        return ""
    scores = list(dict.fromkeys(zip(defined["dataset"], defined["score"], strict=True)))
    lines = []
    for name, rows in defined.groupby("metric", sort=False):
        found = rows.set_index(["dataset", "score"])
        cells = [
            f"{found.loc[score, 'tau']:+.2f} (p = {found.loc[score, 'p']:.2f})"
            if score in found.index
            else "–"
            for score in scores
        ]
        lines.append([name, *cells])
    methods = int(defined["methods"].max())
    title = (
        f"**Does a metric rank the {methods} methods as the task does?** Kendall's τ: 1 alike, "
        "0 unrelated, −1 the other way round"
    )
    return f"{title}\n\n" + markdown_table(["metric", *map(" ".join, scores)], lines)


def _header(name: str) -> str:
    return f"{name} ↓" if name in LOWER_IS_BETTER else name


def _spread(table: Leaderboard, column: Column, method: str) -> str:
    spread = table.spreads.get(column, {}).get(method)
    return "" if spread is None else f" ± {spread:.3f}"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
