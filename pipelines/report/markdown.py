"""The leaderboard as Markdown: a table a data set, then what its differences are worth."""

from collections.abc import Collection, Mapping
from math import isnan

import pandas as pd

from fusion.metrics import METRICS
from pipelines.report.day_night import ALL
from pipelines.report.leaderboard import Column, Leaderboard

Ties = Mapping[Column, Collection[str]]


def to_markdown(
    board: Leaderboard,
    ties: Ties,
    agreement: pd.DataFrame,
    gains: pd.DataFrame,
    parts: pd.DataFrame,
    trivial: Collection[str],
) -> str:
    """The best value of a column is bold.

    Args:
        ties: column → methods that do not differ significantly from the best; marked ≈.
        agreement: rank correlations of metrics and downstream scores.
        gains: differences of downstream scores against the visible image.
        parts: downstream scores by day and at night.
        trivial: the rows whose best value is repeated as the bar to take.
    """
    datasets = dict.fromkeys(dataset for dataset, name in board.columns if name in METRICS)
    sections = []
    for dataset in datasets:
        columns = [c for c in board.columns if c[0] == dataset and c[1] in METRICS]
        table = _table(board, columns, ties, trivial, [_header(name) for _, name in columns])
        sections.append(f"**Fusion metrics on {dataset}**\n\n{table}")
    if board.downstream:
        names = [" ".join(column) for column in board.downstream]
        table = _table(board, board.downstream, ties, trivial, names)
        sections.append(f"**What the fused images are for**\n\n{table}")
    sections += [_gains(gains), _day_night(parts), _stretching(board), _agreement(agreement)]
    notes = [
        "**bold**: best of the column; ≈: not significantly different from it (paired Wilcoxon "
        "signed-rank test, Holm-corrected over all pairs of methods, 5 %)",
        *board.conditions,
    ]
    sections.append("\n".join(f"- {line}" for line in notes))
    return "\n\n".join(section for section in sections if section) + "\n"


def _table(
    board: Leaderboard,
    columns: list[Column],
    ties: Ties,
    trivial: Collection[str],
    header: list[str],
) -> str:
    best = {column: board.best(column) for column in columns}
    lines = [_line(["method", *header]), "|---" * (len(header) + 1) + "|"]
    for method, row in board.rows.items():
        cells = [
            _cell(row[column], best[column] == method, method in ties.get(column, ()))
            + _spread(board, column, method)
            for column in columns
        ]
        lines.append(_line([method, *cells]))
    if trivial and set(trivial) != set(board.rows):
        bars = [board.best(column, trivial) for column in columns]
        cells = [
            "–" if bar is None else f"{_number(board.rows[bar][column])} {bar}"
            for column, bar in zip(columns, bars, strict=True)
        ]
        lines.append(_line(["*best trivial baseline*", *cells]))
    return "\n".join(lines)


def _gains(gains: pd.DataFrame) -> str:
    """A column a score, a row a method; several seeds below each other."""
    if gains.empty:
        return ""
    header = list(dict.fromkeys(gains["dataset"] + " " + gains["score"]))
    lines = [_line(["method", *header]), "|---" * (len(header) + 1) + "|"]
    for (method, seed), rows in gains.groupby(["method", "seed"], sort=False):
        cells = dict(zip(rows["dataset"] + " " + rows["score"], _intervals(rows), strict=True))
        label = f"{method}, seed {seed}" if gains["seed"].nunique() > 1 else str(method)
        lines.append(_line([label, *(cells.get(name, "–") for name in header)]))
    title = (
        "**Gain over the visible image alone** with 95 % bootstrap intervals over the test images; "
        "\\* where the interval leaves out 0"
    )
    return f"{title}\n\n" + "\n".join(lines)


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
    lines = [_line(["method", *header]), "|---" * (len(header) + 1) + "|"]
    for method in dict.fromkeys(means["method"]):
        cells = [
            _cell(v, v == table[name].max(), False) for name, v in table.loc[method, header].items()
        ]
        lines.append(_line([str(method), *cells]))
    title = "**Day and night apart**, means over the classes; every class: `results/day_night.csv`"
    return f"{title}\n\n" + "\n".join(lines)


def _stretching(board: Leaderboard) -> str:
    columns = [column for column, shares in board.stretching.items() if any(shares.values())]
    if not columns:
        return ""
    lines = [_line(["method", *map(" ".join, columns)]), "|---" * (len(columns) + 1) + "|"]
    for method in board.rows:
        shares = [board.stretching[column].get(method) for column in columns]
        cells = ["–" if share is None else f"+{share:.0%}" for share in shares]
        lines.append(_line([method, *cells]))
    title = "**What stretching every fused image to 0..255 would alone add**"
    return f"{title}\n\n" + "\n".join(lines)


def _agreement(agreement: pd.DataFrame) -> str:
    defined = agreement.dropna(subset="tau")
    if defined.empty:
        return ""
    scores = list(dict.fromkeys(zip(defined["dataset"], defined["score"], strict=True)))
    header = [" ".join(score) for score in scores]
    lines = [_line(["metric", *header]), "|---" * (len(scores) + 1) + "|"]
    for name, rows in defined.groupby("metric", sort=False):
        found = rows.set_index(["dataset", "score"])
        cells = [
            f"{found.loc[score, 'tau']:+.2f} (p = {found.loc[score, 'p']:.2f})"
            if score in found.index
            else "–"
            for score in scores
        ]
        lines.append(_line([str(name), *cells]))
    methods = int(defined["methods"].max())
    title = (
        f"**Does a metric rank the {methods} methods as the task does?** Kendall's τ: 1 alike, "
        "0 unrelated, −1 the other way round"
    )
    return f"{title}\n\n" + "\n".join(lines)


def _header(name: str) -> str:
    return name if METRICS[name].higher_is_better else f"{name} ↓"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: float, best: bool, tied: bool) -> str:
    if isnan(value):
        return "–"
    shown = f"**{_number(value)}**" if best else _number(value)
    return f"{shown} ≈" if tied else shown


def _spread(board: Leaderboard, column: Column, method: str) -> str:
    spread = board.spreads.get(column, {}).get(method)
    return "" if spread is None else f" ± {spread:.3f}"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
