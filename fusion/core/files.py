"""Files: atomic writes and SHA-256 digests."""

import hashlib
from pathlib import Path
from secrets import token_hex

from fusion.core.errors import InputError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that `path` is either as before or complete."""
    temporary = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        InputError: it is missing.
    """
    if not path.is_file():
        raise InputError(path, "is missing", "give the path of the file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
