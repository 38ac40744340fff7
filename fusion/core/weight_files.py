"""Weight files: checks that need only the first bytes; imports nothing heavy."""

import struct
from pathlib import Path

from fusion.core.errors import InputError

_REMEDY = "give a file of weights that exists here: nothing is downloaded"
_HEADER_LIMIT = 100_000_000
"""Bytes of a safetensors header, as its reader allows."""

_ZIP = b"PK\x03\x04"
_OLD_TORCH = tuple(bytes([0x80, protocol]) + b"\x8a\x0al\xfc\x9cF\xf9" for protocol in (2, 3))


def check_weight_file(path: Path) -> None:
    """Refuse a path that cannot be weights, from its first bytes.

    A `.safetensors` file begins with the length of its JSON header; a `.pt` or `.pth` file is a ZIP
    archive, or begins with torch's number where an old version of it wrote the file. Any other
    pickle is refused. Whether the tensors fit the network is checked when they are loaded.

    Raises:
        InputError: the file is missing, is not a regular file, has another suffix, cannot be read,
            or begins with something else.
    """
    if not path.is_file():
        reason = "is not a regular file" if path.exists() else "does not exist"
        raise InputError(path, reason, _REMEDY)
    if path.suffix not in (".safetensors", ".pt", ".pth"):
        raise InputError(path, "is not a weight file", "give a .safetensors, .pt or .pth file")
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise InputError(path, reason, "check its permissions") from error
    if path.suffix == ".safetensors":
        sound = _begins_safetensors(start, path.stat().st_size)
    else:
        sound = start.startswith((_ZIP, *_OLD_TORCH))
    if not sound:
        reason = f"is not a {path.suffix} file: it begins with {start!r}" if start else "is empty"
        raise InputError(path, reason, "download or export it again")


def _begins_safetensors(start: bytes, size: int) -> bool:
    if len(start) < 9:
        return False
    (length,) = struct.unpack("<Q", start[:8])
    return start[8:] == b"{" and 2 <= length <= min(_HEADER_LIMIT, size - 8)
