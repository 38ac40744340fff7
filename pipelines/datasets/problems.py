"""Collects all problems of a data set in one message."""

from collections.abc import Iterator
from contextlib import contextmanager

from fusion.core.errors import InputError

MOST_SHOWN = 20


class Problems:
    """Collects problems with the user's files."""

    def __init__(self) -> None:
        self.found: list[InputError] = []

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Collect an `InputError` of the block and continue after it."""
        try:
            yield
        except InputError as problem:
            self.found.append(problem)

    def raise_any(self, name: str) -> None:
        """Raise all problems; the message lists up to twenty.

        Raises:
            InputError: there were problems; a single one is raised as it is.
        """
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            shown = "".join(f"\n  {problem}" for problem in self.found[:MOST_SHOWN])
            more = len(self.found) - MOST_SHOWN
            rest = f"\n  … and {more} more" if more > 0 else ""
            raise InputError(name, f"{len(self.found)} problems", f"correct them:{shown}{rest}")
