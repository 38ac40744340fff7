"""The leaderboard as Markdown: one table per data set, then the statistics of differences."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isnan

import pandas as pd

from fusion.metrics.names import LOWER_IS_BETTER
from pipelines.report.board import Board
from pipelines.report.day_night import ALL
from pipelines.report.gains import worth_of
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
    lines = [[method, *map(_cost, costs.values())] for method, costs in table.costs.items()]
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
    """One column per score, one row per method."""
    if gains.empty:
        return ""
    titles = [_with_seeds(*row) for row in gains[["dataset", "score", "seeds"]].to_numpy()]
    header = list(dict.fromkeys(titles))
    lines = []
    for method, rows in gains.assign(title=titles).groupby("method", sort=False):
        cells = dict(zip(rows["title"], _intervals(rows), strict=True))
        lines.append([method, *(cells.get(name, "–") for name in header)])
    title = (
        "**Gain over the visible image alone** with 95 % bootstrap intervals over test images and "
        "training seeds; \\* where the interval leaves out 0"
    )
    return f"{title}\n\n" + markdown_table(["method", *header], lines)


def _with_seeds(dataset: str, score: str, seeds: int) -> str:
    """The header of a score's column, which says what its intervals are worth."""
    return f"{dataset} {score} ({worth_of(seeds)})"


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
        cells = [_tau(found.loc[score]) if score in found.index else "–" for score in scores]
        lines.append([name, *cells])
    methods = int(defined["methods"].max())
    title = (
        f"**Does a metric rank the {methods} methods as the task does?** Kendall's τ: 1 alike, "
        "0 unrelated, −1 the other way round; in brackets 95 % bootstrap intervals over test "
        "images and training seeds"
    )
    known = defined.dropna(subset="seeds")
    worth = dict(
        zip(zip(known["dataset"], known["score"], strict=True), known["seeds"], strict=True)
    )
    header = [_with_seeds(*s, worth[s]) if s in worth else " ".join(s) for s in scores]
    return f"{title}\n\n" + markdown_table(["metric", *header], lines)


def _tau(found: pd.Series) -> str:
    bounds = "" if isnan(found["low"]) else f" [{found['low']:+.2f}, {found['high']:+.2f}]"
    return f"{found['tau']:+.2f}{bounds} (p = {found['p']:.2f})"


def _header(name: str) -> str:
    return f"{name} ↓" if name in LOWER_IS_BETTER else name


def _spread(table: Leaderboard, column: Column, method: str) -> str:
    spread = table.spreads.get(column, {}).get(method)
    return "" if spread is None else f" ± {spread:.3f}"


def _cost(value: float | None) -> str:
    """A count, or four digits of another number."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
