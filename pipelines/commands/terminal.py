"""What commands show in a terminal: text as it is, tables, and a progress bar."""

from rich.console import Console
from rich.progress import Progress

from fusion.core.progress import progress_bar


def console(width: int | None = None) -> Console:
    """Standard output; brackets and colons in names are no markup and no emoji."""
    return Console(width=width, markup=False, emoji=False, highlight=False)


def progress(*first: str) -> Progress:
    """A progress bar on standard error that vanishes when it is done.

    Args:
        first: texts or templates of Rich that stand before the bar.
    """
    return progress_bar(*first)
