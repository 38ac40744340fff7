"""What a person sees while stages run: one line for each, and a line for each that ends."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipelines.runner.schedule import Running
from pipelines.runner.workers import log_of

TAIL_BYTES = 4096


class LiveView:
    """Shows the running stages on a terminal; elsewhere only prints which ended."""

    def __init__(self, console: Console, total: int, live: Live) -> None:
        self._console, self._total, self._live = console, total, live
        self._ended = 0

    def update(self, running: Mapping[str, Running]) -> None:
        """As `Watcher.update`."""
        if not self._console.is_terminal:
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for stage, job in running.items():
            gpus = f"GPU {','.join(job.gpus)}" if job.gpus else ""
            elapsed = clock(time.monotonic() - job.began)
            table.add_row(stage, gpus, elapsed, Text(last_line(log_of(stage)), style="dim"))
        self._live.update(table)

    def ended(self, stage: str, status: int, seconds: float) -> None:
        """As `Watcher.ended`."""
        self._ended += 1
        word = f"failed with exit status {status}" if status else "done"
        place = f"{self._ended}/{self._total}"
        self._console.print(f"{place} {stage}: {word} after {clock(seconds)}")


@contextmanager
def shown(total: int) -> Iterator[LiveView]:
    """A view for at most `total` stages, on standard error."""
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield LiveView(console, total, live)


def clock(seconds: float) -> str:
    """A duration, such as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def last_line(log: Path) -> str:
    """The last line of a log that is not empty, without control characters."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [Text.from_ansi(line).plain.strip() for line in text.replace("\r", "\n").split("\n")]
    return next((line for line in reversed(lines) if line), "")
