"""The progress bar of everything that takes long."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bar(
    console: Console | None = None, *, transient: bool = True, disable: bool = False
) -> Progress:
    """What is done, how much of it, and the time to go.

    Args:
        console: standard error by default, so that output can be piped.
        transient: remove the bar at the end.
        disable: show nothing.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
        transient=transient,
        disable=disable,
    )
