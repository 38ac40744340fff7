"""Tables for DVC's plot templates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from dvclive import Live
from numpy.typing import NDArray
from scmrepo.exceptions import SCMError

from fusion.core.errors import InputError
from pipelines.paths import empty


def confusion_table(counts: NDArray[np.integer], names: Sequence[str]) -> pd.DataFrame:
    """Rows for DVC's `confusion` template, which counts equal rows.

    Args:
        counts: K×K, rows actual, columns predicted.
        names: of the K classes.
    """
    actual, predicted = np.indices(counts.shape)
    times = counts.ravel()
    return pd.DataFrame(
        {
            "actual": np.array(names)[np.repeat(actual.ravel(), times)],
            "predicted": np.array(names)[np.repeat(predicted.ravel(), times)],
        }
    )


def open_live(folder: Path) -> Live:
    """DVCLive's logger; it empties the folder.

    The logger writes neither DVC's file nor experiments.

    Raises:
        InputError: the Git repository has no commit, whose name the logger asks for.
    """
    try:
        return Live(str(folder), dvcyaml=None, save_dvc_exp=False)
    except SCMError as error:
        if "Empty git repo" not in str(error):
            raise
        remedy = "make one: git add -A && git commit -m start"
        raise InputError("this Git repository", "has no commit yet", remedy) from error


@contextmanager
def live_curves(folder: Path) -> Iterator[Callable[[Mapping[str, float | None]], None]]:
    """A log of epochs by DVCLive, readable during training: `<folder>/plots/metrics/*.tsv`.

    The log takes one epoch's record, `epoch` and its measured values; None is ignored.

    Raises:
        InputError: as `open_live`.
    """
    with open_live(folder) as live:

        def log(record: Mapping[str, float | None]) -> None:
            values = dict(record)
            live.step = int(values.pop("epoch") or 0)
            for name, value in values.items():
                if value is not None:
                    live.log_metric(name, value)
            live.next_step()

        yield log


def write_curves(folder: Path, table: pd.DataFrame, x: str) -> None:
    """One CSV a column over column `x`, as DVC draws one curve a file: its last column.

    Args:
        folder: emptied before.
        table: undefined values are left out of their curve, and a column without any is no file.
        x: what the others are drawn over.
    """
    empty(folder)
    for name in table.columns.drop(x):
        curve = table[[x, name]].dropna()
        if not curve.empty:
            curve.to_csv(folder / f"{str(name).replace('/', '-')}.csv", index=False)


def class_table(values: Mapping[str, float | None], name: str) -> pd.DataFrame:
    """Columns class and `name`, for a bar chart; classes without a value are left out."""
    defined = {label: value for label, value in values.items() if value is not None}
    return pd.DataFrame({"class": list(defined), name: list(defined.values())})


def plot_classes(
    folder: Path,
    scores: Mapping[str, float | None],
    score: str,
    confusion: NDArray[np.integer],
    names: Sequence[str],
) -> None:
    """Write `classes.csv`, a score by class, and `confusion.csv`.

    Args:
        folder: created if missing.
        scores: class -> score; classes without one are left out.
        score: its name.
        confusion: K×K counts, rows actual, columns predicted.
        names: of the K classes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    class_table(scores, score).to_csv(folder / "classes.csv", index=False)
    confusion_table(confusion, names).to_csv(folder / "confusion.csv", index=False)


def thousandths(counts: NDArray[np.integer]) -> NDArray[np.integer]:
    """Shares of each row of K×K counts in 1/1000, so that a table of single counts stays small."""
    shares: NDArray[np.integer] = np.rint(
        1000 * counts / counts.sum(1, keepdims=True).clip(1)
    ).astype(int)
    return shares
