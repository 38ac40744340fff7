"""The tables of docs/results.md that compare all methods, from docs/pairs and docs/medical.

leaderboard.csv, leaderboard.md: what the report stage wrote, in the folder itself or, after several
    runs, in a folder for each. Of a row that several runs have, the last run by name counts.
networks.json: what `python -m benchmarks.networks` wrote.
paper.csv: Table 1 of the PoMAI paper, without its data set M3FD; `row` is the row of the
    leaderboard that has the authors' weights. In docs/medical, its Table 3, without `row`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fusion.metrics.names import LOWER_IS_BETTER
from pipelines.report.markdown import cell, markdown_table
from scripts.runs import joined_board, last, runs

PAPER_METRICS = ("SD", "SF", "AG", "VIF")
FOREIGN = ("cddfuse_repro", "cddfuse_official", "cddfuse_fork")
"""Rows of images that other software fused."""

_STRETCHING = "**What stretching every fused image"


def metric_tables(folder: Path) -> str:
    """One table per data set, all metrics; the best value of a column is bold."""
    board = leaderboard(folder)
    datasets = dict.fromkeys(name.split()[0] for name in board.columns)
    return "\n\n".join(f"**{name}**\n\n{_metric_table(board, name)}" for name in datasets)


def stretching_table(folder: Path) -> str:
    """What stretching alone adds to SD, SF and AG, as the report stage printed it.

    Raises:
        ValueError: a report has no such table.
    """
    table = _stretching(folder)
    return markdown_table([str(table.index.name), *table], list(table.itertuples(name=None)))


def cost_table(folder: Path) -> str:
    """Parameters, operations, and time as a ratio to the first network."""
    networks = json.loads((folder / "networks.json").read_bytes())["networks"]
    header = ["network", "parameters", "GFLOP", "CPU ms", f"times {next(iter(networks))}"]
    return markdown_table(
        header,
        [
            [
                name,
                f"{cost['parameters']:,}",
                _operations(cost["gflop"]),
                f"{cost['cpu_ms']:,.0f}",
                f"{cost['ratio']:.2f}",
            ]
            for name, cost in networks.items()
        ],
    )


def paper_table(folder: Path) -> str:
    """The paper's Table 1, and below each method what the authors' weights measure here."""
    paper = pd.read_csv(folder / "paper.csv", index_col="method", dtype=str)  # as printed
    board, shares = leaderboard(folder), _shares(folder)
    columns = [name for name in paper.columns if name != "row"]
    lines = []
    for method, printed in paper.iterrows():
        lines.append([f"{method}, paper", *printed[columns]])
        if printed["row"] not in board.index:
            continue
        here = board.loc[printed["row"]]
        lines.append([f"{method}, here", *(cell(here[name], best=False) for name in columns)])
        if printed["row"] in shares.index:
            grown = here * (1 + shares.loc[printed["row"]])
            shown = [cell(grown.get(name, float("nan")), best=False) for name in columns]
            lines.append([f"{method}, here, stretched", *shown])
    return markdown_table(["method", *columns], lines)


def medical_table(folder: Path) -> str:
    """SD, SF, AG and VIF of one data set, and below them the rows of the paper's Table 3."""
    board = leaderboard(folder)
    columns = [n for metric in PAPER_METRICS for n in board if n.split()[1:] == [metric]]
    shown = pd.DataFrame({name: list(_cells(board[name])) for name in columns}, board.index)
    paper = pd.read_csv(folder / "paper.csv", index_col="method", dtype=str)
    printed = paper[list(PAPER_METRICS)].rename(index=lambda method: f"{method}, paper")
    header = ["method", *PAPER_METRICS]
    return markdown_table(header, [*shown.itertuples(name=None), *printed.itertuples(name=None)])


def _operations(gflop: float) -> str:
    return f"{gflop:.3g}" if gflop < 100 else f"{gflop:,.0f}"


def leaderboard(folder: Path) -> pd.DataFrame:
    """The rows of all runs: those trained here, then published weights, then foreign images."""
    rows = joined_board(folder)
    rows = rows[[name for name in rows.columns if " " in name]]  # not parameters and GFLOP
    order = sorted(rows.index, key=lambda name: (name in FOREIGN, name.endswith("_published")))
    return rows.loc[order]


def _metric_table(board: pd.DataFrame, dataset: str) -> str:
    columns = [name for name in board.columns if name.split()[0] == dataset]
    rows = board[columns].dropna(how="all")
    shown = {name: list(_cells(rows[name])) for name in columns}
    header = [_arrow(name.split()[1]) for name in columns]
    return markdown_table(["method", *header], pd.DataFrame(shown, rows.index).itertuples())


def _cells(column: "pd.Series[float]") -> Iterator[str]:
    lower = str(column.name).split()[1] in LOWER_IS_BETTER
    best = column.min() if lower else column.max()
    return (cell(value, best=value == best) for value in column)


def _arrow(metric: str) -> str:
    return f"{metric} ↓" if metric in LOWER_IS_BETTER else metric


def _stretching(folder: Path) -> pd.DataFrame:
    """Method × column, as printed."""
    tables = []
    for run in runs(folder):
        file = run / "leaderboard.md"
        _, found, rest = file.read_text(encoding="utf-8").partition(_STRETCHING)
        if not found:
            raise ValueError(f"{file} has no table of stretching")
        header, _, *rows = (
            [part.strip() for part in line.strip("|").split("|")]
            for line in rest.split("\n\n")[1].strip().splitlines()
        )
        tables.append(pd.DataFrame(rows, columns=header).set_index("method"))
    table = last(pd.concat(tables))
    order = [name for name in leaderboard(folder).index if name in table.index]
    return table.loc[order]


def _shares(folder: Path) -> pd.DataFrame:
    """Method × column: what stretching adds, as a share; NaN where it was not measured."""
    printed = _stretching(folder)
    percent = printed.apply(lambda column: pd.to_numeric(column.str.rstrip("%"), errors="coerce"))
    return percent / 100
