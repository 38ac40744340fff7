"""Results of one run, or of several runs in a folder for each."""

from pathlib import Path

import pandas as pd


def runs(folder: Path) -> list[Path]:
    """The folders in `folder` with a leaderboard.csv, by name; without any, `folder` itself."""
    return sorted(path.parent for path in folder.glob("*/leaderboard.csv")) or [folder]


def read(folder: Path, file: str, *keys: str) -> pd.DataFrame:
    """The rows of a CSV file of all runs.

    Args:
        folder: as for `runs`.
        file: its name.
        keys: the columns that name a row. Of a row that several runs have, the last run counts.
    """
    rows = pd.concat([pd.read_csv(run / file) for run in runs(folder)]).set_index(list(keys))
    return last(rows).reset_index()


def joined_board(folder: Path) -> pd.DataFrame:
    """The leaderboard of all runs, by method."""
    return read(folder, "leaderboard.csv", "method").set_index("method")


def last(rows: pd.DataFrame) -> pd.DataFrame:
    """Every row of an index once: its last values, at its first place."""
    return rows[~rows.index.duplicated(keep="last")].loc[rows.index.unique()]
