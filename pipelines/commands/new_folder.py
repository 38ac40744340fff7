"""A folder that a command writes in full or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fusion.core.errors import InputError, unwritable


def require_new(folder: Path) -> None:
    """Refuse a folder that holds something, before anything is computed for it.

    Raises:
        InputError: it is a file, or a folder that is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "exists", "give the name of a new folder")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder of the same name, which takes the place of `folder` at the end.

    Raises:
        InputError: as `require_new`, or the folder cannot be written.
    """
    require_new(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            made = Path(temporary) / folder.name
            yield made
            made.replace(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
