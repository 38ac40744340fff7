"""Folders that are written under a temporary name and then replace an earlier version."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fusion.core.errors import InputError, list_names, unwritable
from fusion.images.prepared import PreparedSet

_MARK = ".unfinished"
"""An empty file that marks a folder being written; a later run may remove such a folder."""

_IN_THE_WAY = "move it away, or choose another name or output"


@contextmanager
def replacing(*folders: Path) -> Iterator[list[Path]]:
    """New empty folders that replace `folders` when the block succeeds.

    If the block fails, nothing changes. The replaced folders must be this project's own; see
    `require_own`.

    Raises:
        InputError: a temporary name is in use, or the folder cannot be written.
    """
    new, old = (
        [folder.with_name(f".{folder.name}.{what}") for folder in folders]
        for what in ("writing", "replaced")
    )
    with reported_of(folders[0]):
        missing = [p for folder in folders for p in folder.parents if not p.exists()]
        for leftover in (*new, *old):
            _remove_leftover(leftover)
        try:
            for folder in new:
                folder.mkdir(parents=True)
                (folder / _MARK).touch()
            yield new
            _exchange(folders, new, old)
        finally:
            for folder in new:
                _discard(folder)
            for parent in missing:  # the nearest first; those that hold something stay
                with suppress(OSError):
                    parent.rmdir()


def _exchange(folders: Sequence[Path], new: Sequence[Path], old: Sequence[Path]) -> None:
    earlier = [(folder, away) for folder, away in zip(folders, old, strict=True) if folder.exists()]
    for folder, _ in earlier:  # from here, whatever a killed run leaves bears the mark
        (folder / _MARK).touch()
    for folder, away in earlier:
        folder.rename(away)
    for folder, written in zip(folders, new, strict=True):
        written.rename(folder)
    for folder in folders:
        (folder / _MARK).unlink()
    for away in old:
        _discard(away)


@contextmanager
def reported_of(folder: Path) -> Iterator[None]:
    """Turn an operating system error of the block into an `InputError` that names the folder.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error) from error


def _remove_leftover(folder: Path) -> None:
    """Remove the remains of a killed run; they are empty or have the mark."""
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir() or not _is_leftover(folder):
        raise InputError(folder, "is in the way", _IN_THE_WAY)
    _discard(folder)


def _discard(folder: Path) -> None:
    """Remove a folder, its mark last, so that a later run can finish what is interrupted here."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _MARK:
            path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _is_leftover(folder: Path) -> bool:
    return (folder / _MARK).exists() or not any(folder.iterdir())


def require_own(output: Path, train_output: Path) -> None:
    """Reject output folders that contain anything but an earlier prepared data set.

    Args:
        output: absent, or exactly the files that its `dataset.json` describes.
        train_output: absent, empty, or training pairs of `output`.

    Raises:
        InputError: a folder is not this project's own.
    """
    with reported_of(output):
        listed: set[str] = set()
        if _exists(output) and not (output / _MARK).exists():
            if not (output / "dataset.json").exists():
                reason = "is in the way: it is not a prepared data set"
                raise InputError(output, reason, _IN_THE_WAY)
            listed = PreparedSet.load(output).files()
            _require_only(output, listed)
        if _exists(train_output) and not (train_output / _MARK).exists():
            _require_only(train_output, {name.removeprefix("train/") for name in listed})


def _exists(folder: Path) -> bool:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(folder, "is in the way: it is not a folder", _IN_THE_WAY)
    return folder.exists()


def _require_only(folder: Path, listed: set[str]) -> None:
    if foreign := _content(folder) - listed:
        reason = f"is in the way: it holds more than a prepared data set: {list_names(foreign)}"
        raise InputError(folder, reason, _IN_THE_WAY)


def _content(folder: Path) -> set[str]:
    """All files and empty folders below a folder; a link counts as a file and is not followed."""
    found = set()
    for place, folders, files in os.walk(folder):
        here = Path(place).relative_to(folder)
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found |= {(here / name).as_posix() for name in (*files, *links)}
        if not folders and not files and here != Path():
            found.add(here.as_posix())
    return found
