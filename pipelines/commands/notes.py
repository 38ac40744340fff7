"""Notes on files, printed at the end of a command."""

from collections import defaultdict
from pathlib import Path

from fusion.core.errors import list_names


class Notes:
    """Notes on files; each is printed once, with the files that it is about."""

    def __init__(self) -> None:
        self._files: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, path: Path, note: str) -> None:
        """Keep a note on a file; any thread may call this."""
        self._files[note].add(str(path))

    def print(self) -> None:
        """Print a line for each note: the note, and up to three of its files."""
        for note, paths in self._files.items():
            print(f"note: {note}: {list_names(paths, 3)}")
