"""Files: atomic writes and SHA-256 digests."""

import hashlib
from pathlib import Path
from secrets import token_hex
from stat import S_ISREG

from fusion.core.errors import InputError, unreadable


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that `path` is either as before or complete."""
    temporary = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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


def code_digest(*sources: Path) -> str:
    """SHA-256 of Python files; of folders, all below. What a run computed is no other code's."""
    digest = hashlib.sha256()
    for source in sources:
        for file in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            digest.update(file_digest(file).encode())
    return digest.hexdigest()
