"""What commands show in a terminal: text as it is, tables, and a progress bar."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn


def console(width: int | None = None) -> Console:
    """Standard output; brackets and colons in names are no markup and no emoji."""
    return Console(width=width, markup=False, emoji=False, highlight=False)


def progress(*first: str) -> Progress:
    """A progress bar on standard error that vanishes when it is done.

    Args:
        first: texts or templates of Rich that stand before the bar.
    """
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*first, *columns, console=Console(stderr=True), transient=True)
