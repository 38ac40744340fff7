"""Files: atomic writes and SHA-256 digests."""

import hashlib
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from stat import S_ISREG

from fusion.core.errors import InputError, unreadable, unwritable


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: `path` is either unchanged or complete.

    Raises:
        OSError: it cannot be written; the error names `path`, not the temporary file.
    """
    # A temporary name of its own: a name of 255 bytes leaves no room for an addition.
    temporary = path.with_name(f".{token_hex(8)}.writing")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        _remove(temporary)
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        _remove(temporary)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file as `write_bytes`; bytes of a name that are not UTF-8 become escapes."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def require_writable(path: Path) -> None:
    """Check that a file can be written, before the work whose result it receives.

    Raises:
        InputError: `path` is a folder or empty, or its folder is missing or cannot be written.
    """
    try:
        if not path.name or path.is_dir():
            raise InputError(path, "is a folder", "give the name of a file")
        if not path.parent.is_dir():
            raise InputError(path.parent, "is not a folder", "make it first")
        temporary = path.with_name(f".{token_hex(8)}.writing")
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def _remove(temporary: Path) -> None:
    with suppress(OSError):  # its folder may not exist, or may not be entered
        temporary.unlink()


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Raises:
        InputError: as `require_file`, or the file is larger or cannot be read.
    """
    require_file(path)
    try:
        if (size := path.stat().st_size) > limit:
            raise InputError(path, f"has {size} bytes, more than {limit}", "give another file")
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def require_file(path: Path) -> None:
    """Refuse everything but a regular file: opening a named pipe or a device may never return.

    Raises:
        InputError: nothing is there, it is not a regular file, or its folder cannot be entered.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(path, "is missing", "add it") from error
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not S_ISREG(mode):
        raise InputError(path, "is not a regular file", "replace it with one")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        InputError: it is missing.
    """
    if not path.is_file():
        raise InputError(path, "is missing", "give the path of the file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
