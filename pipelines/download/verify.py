"""Whether a folder holds a complete copy of a known data set, and whether it has changed."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from fusion.core.config import Config
from fusion.core.errors import InputError
from fusion.core.files import file_digest
from pipelines.datasets.layout import NIGHT
from pipelines.download.registry import KnownSet

_DEPTH = 4
"""Folders in which an archive may wrap its content."""


class Shortage(Config):
    """Files that a copy lacks: `found` of `expected` at `place`."""

    place: str
    found: int
    expected: int

    def __str__(self) -> str:
        return f"{self.place} has {self.found} of {self.expected} files"


def shortages(known: KnownSet, folder: Path) -> list[Shortage]:
    """What a copy lacks; empty for a complete one. Files without content do not count."""
    counts = {place: sum(1 for _ in _files(folder, place)) for place in known.holds}
    return [
        Shortage(place=place, found=counts[place], expected=expected)
        for place, expected in known.holds.items()
        if counts[place] < expected
    ]


def incomplete(name: str, known: KnownSet, folder: Path) -> str:
    """Why a folder is not a complete copy, with counts of what is missing; empty for one that is.

    A set whose files nobody has listed (`holds` is empty) lacks nothing.
    """
    lacking = "; ".join(map(str, shortages(known, folder)))
    return lacking and f"is not a complete {name}: {lacking}"


def require_complete(name: str, known: KnownSet, folder: Path) -> None:
    """Check that a folder holds all files of a data set.

    Raises:
        InputError: it does not (the message counts what is missing), or nobody has listed them.
    """
    if not known.holds:
        reason = f"cannot be checked: the files of a complete {name} are not listed"
        raise InputError(folder, reason, f"compare it with {known.page}")
    if reason := incomplete(name, known, folder):
        remedy = f"a complete copy holds {known.layout()}: move this folder away and fetch it again"
        raise InputError(folder, reason, remedy)


def find_root(known: KnownSet, unpacked: Path) -> Path:
    """The folder below `unpacked` that has the set's layout; `unpacked` if none has.

    Archives wrap their content in folders of various names.
    """
    level = [unpacked]
    for _ in range(_DEPTH):
        for folder in level:
            if not any(found.found == 0 for found in shortages(known, folder)):
                return folder
        level = sorted(child for folder in level for child in folder.iterdir() if child.is_dir())
    return unpacked


def recognize(folder: Path, sets: Mapping[str, KnownSet]) -> str:
    """The name of the known data set whose folders a folder has.

    Raises:
        InputError: it has those of none.
    """
    fitting = [
        name
        for name, known in sets.items()
        if known.holds and not any(lacking.found == 0 for lacking in shortages(known, folder))
    ]
    if not fitting:
        shown = "".join(
            f"\n  {name}: {known.layout()}" for name, known in sets.items() if known.holds
        )
        reason = "has the folders of no known data set"
        raise InputError(folder, reason, f"name the set (--set), or compare the layouts:{shown}")
    return max(fitting, key=lambda name: len(sets[name].holds))  # the most specific


def tree_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files of a folder.

    Hidden files and folders, which systems add, and `night.txt`, which you may add, do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if path.name != NIGHT and not any(part.startswith(".") for part in name.parts):
            digest.update(f"{name.as_posix()}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def _files(folder: Path, place: str) -> Iterator[Path]:
    if (folder / place).is_file():
        found: Iterator[Path] = iter([folder / place])
    else:
        found = folder.glob(place if "*" in place else f"{place}/*")
    return (
        path
        for path in found
        if not path.name.startswith(".") and path.is_file() and path.stat().st_size
    )
