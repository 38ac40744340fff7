"""One downstream experiment several times, once a training seed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pipelines.plots import live_curves

Result = TypeVar("Result")
Log = Callable[[Mapping[str, float | None]], None]


def repeat(
    seeds: Sequence[int],
    plots: Path,
    pictures: Path,
    run: Callable[[int, Path | None, Log | None], Result],
) -> list[Result]:
    """One result a seed.

    Curves and pictures are the first seed's; they stand for the others'.

    Args:
        seeds: of training.
        plots: folder of the curves.
        pictures: folder of the pictures.
        run: takes a seed, the folder of its pictures (None: draw none) and a log of its epochs
            (None: log none).
    """
    results: list[Result] = []
    for seed in seeds:
        if results:
            results.append(run(seed, None, None))
            continue
        with live_curves(plots) as log:
            results.append(run(seed, pictures, log))
    return results
