"""All tables of the report, and the files that hold them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from fusion.core.errors import InputError
from fusion.core.files import write_text
from pipelines.report.board import Board
from pipelines.report.costs import RowCost, cost_table, sizes, times
from pipelines.report.day_night import day_night
from pipelines.report.gains import task_differences
from pipelines.report.leaderboard import Leaderboard, leaderboard
from pipelines.report.resampling import resample
from pipelines.report.significance import agreement, significance


@dataclass(frozen=True)
class Results:
    """All tables of a board.

    Attributes:
        board: the scores.
        table: the leaderboard.
        tests: of every two methods on a fusion metric; see `significance`.
        ranks: rank correlations of metrics and downstream scores; see `agreement`.
        gains: downstream scores less the visible image's; see `task_differences`.
        parts: downstream scores by day and at night; see `day_night`.
        costs: method -> what it costs.
    """

    board: Board
    table: Leaderboard
    tests: pd.DataFrame
    ranks: pd.DataFrame
    gains: pd.DataFrame
    parts: pd.DataFrame
    costs: Mapping[str, RowCost] = field(default_factory=dict)


def assess(board: Board, costs: Mapping[str, RowCost] = MappingProxyType({})) -> Results:
    """Make every table from the scores and costs."""
    table = replace(leaderboard(board), costs=sizes(costs))
    resampled = resample(board)
    return Results(
        board=board,
        table=table,
        tests=significance(board),
        ranks=agreement(table, resampled),
        gains=task_differences(resampled),
        parts=day_night(board),
        costs=costs,
    )


def write_results(folder: Path, results: Results, text: str) -> None:
    """Write every table as CSV, the leaderboard's numbers as JSON, and `text` as Markdown."""
    folder.mkdir(exist_ok=True)
    contents = {
        "leaderboard.csv": results.table.to_csv(),
        "leaderboard.md": text,
        "metrics.json": json.dumps(results.table.to_metrics(), indent=2) + "\n",
        "times.json": json.dumps(times(results.costs), indent=2) + "\n",
        "costs.csv": _csv(cost_table(results.costs)),
        "leaderboard_long.csv": _csv(results.table.to_long()),
        "significance.csv": _csv(results.tests),
        "rank_agreement.csv": _csv(results.ranks),
        "task_differences.csv": _csv(results.gains),
        "day_night.csv": _csv(results.parts),
    }
    for name, content in contents.items():
        write_text(folder / name, content)


def read_results(folder: Path, board: Board, costs: Mapping[str, RowCost]) -> Results:
    """The tables that `write_results` wrote from these scores and costs.

    Raises:
        InputError: one is missing or damaged.
    """
    return Results(
        board=board,
        table=replace(leaderboard(board), costs=sizes(costs)),
        tests=_read(folder / "significance.csv"),
        ranks=_read(folder / "rank_agreement.csv"),
        gains=_read(folder / "task_differences.csv"),
        parts=_read(folder / "day_night.csv"),
        costs=costs,
    )


_TEXT = ("dataset", "metric", "first", "second", "method", "score", "class", "subset")
"""Columns of text: a set may be called 2024, and a row NA or 001."""


def _read(path: Path) -> pd.DataFrame:
    types = dict.fromkeys(_TEXT, str)
    try:
        return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "run `dvc repro report`") from error


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.6g")
