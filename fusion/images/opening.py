"""Opens image files of five formats; anything else raises an `InputError`."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from PIL import Image, ImageFile, UnidentifiedImageError

from fusion.core.errors import InputError, unreadable
from fusion.core.files import require_file

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
"""Supported formats; the content of a file decides, not its suffix."""

DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
    cv2.error,
    Image.DecompressionBombError,
)
"""Exceptions that decoders raise for files that are not images, are damaged or are too large."""


def open_image(path: Path) -> ImageFile.ImageFile:
    """Open an image file for reading; its header is decoded, its pixels are not.

    Raises:
        InputError: the file is missing, is not a regular file, cannot be read, is not an image in
            one of `FORMATS`, or has more pixels than Pillow decodes (179 million).
    """
    require_file(path)
    try:
        return Image.open(path, formats=FORMATS)
    except PermissionError as error:
        raise unreadable(path, error) from error
    except Image.DecompressionBombError as error:
        raise _too_large(path, error) from error
    except (*DAMAGE, ImportError) as error:  # ultralytics' Image.open asks for a HEIF decoder
        reason = "is not a readable image"
        if not isinstance(error, UnidentifiedImageError | ImportError):
            reason += f" ({error})"
        remedy = "replace it with a PNG, JPEG, BMP, TIFF or WebP image"
        raise InputError(path, reason, remedy) from error


@contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Name the file whose pixels cannot be decoded within the block.

    Raises:
        InputError: a decoder failed.
    """
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(path, error) from error
    except MemoryError as error:
        raise InputError(path, "does not fit into memory", "crop or downscale it") from error
    except DAMAGE as error:
        raise InputError(path, f"is truncated or damaged ({error})", "replace it") from error


def _too_large(path: Path, error: Exception) -> InputError:
    numbers = re.findall(r"(\d+) pixels", str(error))  # the size, and the limit
    shown = [f"{int(number) / 1e6:.0f} megapixels" for number in numbers]
    reason = f"has {' and the limit is '.join(shown)}" if shown else f"is too large ({error})"
    return InputError(path, reason, "crop or downscale it")
