"""What a training run reports: means of its losses, its first bad step, its progress."""

import sys
import time
from typing import Any, cast

import torch
from lightning.fabric import Fabric
from rich.console import Console
from torch import Tensor

from fusion.core.progress import progress_bar

NEVER = torch.iinfo(torch.int64).max


class Meter:
    """Means of named scalars over an epoch, and when one of them was first not finite.

    Adding neither waits for the device nor for other processes; `merge` does both.

    Attributes:
        history: the means of every epoch so far.
    """

    def __init__(self) -> None:
        self.history: list[dict[str, float]] = []
        self._names: list[str] = []
        self._count = 0
        self._sums = torch.zeros(())
        self._recent = torch.zeros(())
        self._bad_since = torch.tensor(NEVER)

    def add(self, step: int, values: dict[str, Tensor]) -> None:
        """Add the scalars of one step."""
        vector = torch.stack([value.detach().float() for value in values.values()])
        self._names = list(values)
        self._recent = self._recent.to(vector.device) + vector
        bad = torch.where(vector.isfinite(), NEVER, step)
        self._bad_since = torch.minimum(self._bad_since.to(vector.device), bad)
        self._count += 1

    def merge(self, fabric: Fabric) -> None:
        """Give all processes the same sums."""
        recent = cast(Tensor, fabric.all_reduce(self._recent, reduce_op="mean"))
        self._sums = self._sums + recent.cpu()
        self._bad_since = cast(Tensor, fabric.all_reduce(self._bad_since, reduce_op="min")).cpu()
        self._recent = torch.zeros(())

    def first_bad(self) -> tuple[int, list[str]] | None:
        """The first step with a value that was not finite, and the names of these values."""
        step = int(self._bad_since.min())
        if step == NEVER:
            return None
        places = zip(self._names, self._bad_since.tolist(), strict=True)
        return step, [name for name, since in places if since == step]

    def means(self) -> dict[str, float]:
        """Means of the running epoch, up to the last `merge`."""
        means = (self._sums.double() / self._count).tolist()
        return dict(zip(self._names, means, strict=True))

    def end_epoch(self, learning_rate: float) -> None:
        """Move the running epoch's means to `history`."""
        self.history.append(self.means() | {"learning_rate": learning_rate})
        self._count, self._sums = 0, torch.zeros(())
        self._bad_since = torch.tensor(NEVER)  # the next epoch may have other scalars

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "count": self._count, "sums": self._sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.history, self._count, self._sums = state["history"], state["count"], state["sums"]


class Reporter:
    """A bar with the remaining time on a terminal; elsewhere a line every `seconds`.

    Args:
        first, total: the run's first update and its total number of updates.
        visible: False in all processes except the first.
        seconds: interval between two lines without a terminal.
    """

    def __init__(self, first: int, total: int, visible: bool, seconds: float = 15.0) -> None:
        self._first, self._total, self._seconds = first, total, seconds
        self._started = self._printed = time.monotonic()
        console = Console(stderr=True)
        self._lines = visible and not console.is_terminal
        shown = visible and console.is_terminal
        self._bar = progress_bar(
            "{task.description}", console=console, transient=False, disable=not shown
        )
        self._task = self._bar.add_task("training", total=total, completed=first)

    def __enter__(self) -> "Reporter":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, done: int, epoch: int, loss: float) -> None:
        """`done` updates are made; `loss` is the mean of the running epoch."""
        text = f"epoch {epoch}, loss {loss:.4g}"
        self._bar.update(self._task, completed=done, description=text)
        now = time.monotonic()
        if self._lines and (now - self._printed >= self._seconds or done == self._total):
            self._printed = now
            left = (now - self._started) / (done - self._first) * (self._total - done)
            line = f"update {done} of {self._total}: {text}, {left:.0f} s to go"
            sys.stderr.write(line + "\n")
