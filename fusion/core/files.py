"""Files: atomic writes and SHA-256 digests."""

import hashlib
from pathlib import Path
from secrets import token_hex

from fusion.core.errors import InputError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that `path` is either as before or complete."""
    # A temporary name of its own: a name of 255 bytes leaves no room for an addition.
    temporary = path.with_name(f".{token_hex(8)}.writing")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Raises:
        InputError: it is missing, is no regular file (a pipe or a device could be read forever),
            is larger, or cannot be read.
    """
    if not path.is_file():
        reason = "is not a regular file" if path.exists() else "is missing"
        raise InputError(path, reason, "give the path of the file")
    try:
        if (size := path.stat().st_size) > limit:
            raise InputError(path, f"has {size} bytes, more than {limit}", "give another file")
        return path.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise InputError(path, reason, "look at its permissions") from error


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
