"""One downstream experiment for several training seeds."""

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
    """Run the experiment for every seed; return one result per seed.

    Curves and pictures are those of the first seed.

    Args:
        seeds: training seeds.
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
