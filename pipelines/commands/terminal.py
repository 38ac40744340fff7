"""Terminal output of commands: plain text, tables, and a progress bar."""

from rich.console import Console
from rich.progress import Progress

from fusion.core.progress import progress_bar


def console(width: int | None = None) -> Console:
    """Standard output, without markup or emoji codes in names."""
    return Console(width=width, markup=False, emoji=False, highlight=False)


def progress(*first: str) -> Progress:
    """A progress bar on standard error that vanishes when it is done.

    Args:
        first: texts or templates of Rich that stand before the bar.
    """
    return progress_bar(*first)
