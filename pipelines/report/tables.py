"""All tables of the report, and the files that hold them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fusion.core.files import write_bytes
from pipelines.report.board import Board
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
    """

    board: Board
    table: Leaderboard
    tests: pd.DataFrame
    ranks: pd.DataFrame
    gains: pd.DataFrame
    parts: pd.DataFrame


def assess(board: Board) -> Results:
    """Make every table from the scores."""
    table, resampled = leaderboard(board), resample(board)
    return Results(
        board=board,
        table=table,
        tests=significance(board),
        ranks=agreement(table, resampled),
        gains=task_differences(resampled),
        parts=day_night(board),
    )


def write_results(folder: Path, results: Results, text: str) -> None:
    """Write every table as CSV, the leaderboard's numbers as JSON, and `text` as Markdown."""
    folder.mkdir(exist_ok=True)
    contents = {
        "leaderboard.csv": results.table.to_csv(),
        "leaderboard.md": text,
        "metrics.json": json.dumps(results.table.to_metrics(), indent=2) + "\n",
        "leaderboard_long.csv": _csv(results.table.to_long()),
        "significance.csv": _csv(results.tests),
        "rank_agreement.csv": _csv(results.ranks),
        "task_differences.csv": _csv(results.gains),
        "day_night.csv": _csv(results.parts),
    }
    for name, content in contents.items():
        write_bytes(folder / name, content.encode())


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.6g")
