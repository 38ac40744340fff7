"""Curves and pictures of a fusion training phase, logged by DVCLive."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from dvclive import Live
from numpy.typing import NDArray

from pipelines.plots import open_live


@dataclass(frozen=True)
class TrainingLog:
    """The log of a training phase."""

    live: Live

    def epoch(self, means: dict[str, float]) -> None:
        """Log the means of one epoch by name; metrics.json has those of the last epoch alone."""
        for name in set(self.live.summary) - {"step", *means}:
            del self.live.summary[name]
        for name, value in means.items():
            self.live.log_metric(name, value)
        self.live.next_step()

    def pictures(self, epoch: int, grid: NDArray[np.uint8]) -> None:
        """Log a grid of pictures, RGB H×W×3."""
        self.live.log_image(f"epoch-{epoch:04d}.png", grid)


@contextmanager
def training_log(folder: Path, active: bool) -> Iterator[TrainingLog | None]:
    """A log on the first process, None on the others."""
    if not active:
        yield None
        return
    with open_live(folder) as live:
        (folder / "plots").mkdir(exist_ok=True)  # what a phase of no epochs leaves
        live.step = 1  # epochs count from 1, as pictures and the tasks' curves do
        yield TrainingLog(live)
