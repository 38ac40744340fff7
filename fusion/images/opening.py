"""Opens image files of five formats; anything else raises an `InputError`."""

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

LARGEST = 179_000_000
"""Pixels of the largest image that is decoded by default: Pillow's own limit."""

# Pillow's limit is one number for the whole process; `open_image` has a limit for each call.
Image.MAX_IMAGE_PIXELS = None

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
)
"""Exceptions that decoders raise for files that are not images, are damaged or are too large."""


def open_image(path: Path, largest: int = LARGEST) -> ImageFile.ImageFile:
    """Open an image file for reading; its header is decoded, its pixels are not.

    Args:
        largest: number of pixels above which the image is refused: a small file can claim any size.

    Raises:
        InputError: the file is missing, is not a regular file, cannot be read, is not an image in
            one of `FORMATS`, or has more than `largest` pixels.
    """
    require_file(path)
    try:
        image = Image.open(path, formats=FORMATS)
    except PermissionError as error:
        raise unreadable(path, error) from error
    except (*DAMAGE, ImportError) as error:  # ultralytics' Image.open asks for a HEIF decoder
        known = isinstance(error, UnidentifiedImageError | ImportError)
        reason = f"is {_kind(path)}" if known else f"is not a readable image ({error})"
        remedy = "replace it with a PNG, JPEG, BMP, TIFF or WebP image"
        raise InputError(path, reason, remedy) from error
    if (pixels := image.width * image.height) > largest:
        image.close()
        reason = f"has {pixels / 1e6:.0f} megapixels and the limit is {largest / 1e6:.0f}"
        remedy = "crop or downscale it, or raise the limit (pomai fuse --max-megapixels)"
        raise InputError(path, reason, remedy)
    return image


def _kind(path: Path) -> str:
    """What a file is that is no image in one of `FORMATS`, in words."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return "empty"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the image: run `git lfs pull`"
    if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "a TIFF of a kind that is not supported, for example of 64-bit or float color values"
    return "not a readable image"


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
    except MemoryError as error:
        raise InputError(path, "does not fit into memory", "crop or downscale it") from error
    except DAMAGE as error:
        raise InputError(path, f"is truncated or damaged ({error})", "replace it") from error
