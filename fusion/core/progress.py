"""The progress bar of long operations."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn


def progress_bar(
    *first: str, console: Console | None = None, transient: bool = True, disable: bool = False
) -> Progress:
    """A progress bar with a description, a count and the remaining time.

    Args:
        first: texts or templates of Rich that stand before the bar.
        console: standard error by default, so that output can be piped.
        transient: remove the bar at the end.
        disable: show nothing.
    """
    return Progress(
        *first,
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
        transient=transient,
        disable=disable,
    )
