"""Locks a run folder, so that one process at a time uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fusion.core.errors import InputError


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process within the block.

    The operating system releases the lock when the process ends, even after a crash. The file
    `.lock` stays behind; its presence does not lock the folder.

    Args:
        folder: created when needed.

    Raises:
        InputError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            folder,
            "is in use by another process",
            "wait until that process has ended, or end it: a stage can outlive the `dvc repro` "
            "that started it",
        ) from error
    try:
        yield
    finally:
        lock.release()
