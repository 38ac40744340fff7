"""Images and pairs of images: reading, writing, validating.

Whatever users have is decoded here to one of two forms: 8-bit grey H×W, or 8-bit RGB H×W×3.
"""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
MINIMUM_SIDE = 16


class InputError(ValueError):
    """Something the user gave cannot be used; says which file, why, and what to do."""

    def __init__(self, path: Path | str, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = Path(path), reason, remedy


@dataclass(frozen=True)
class ImageRead:
    """A decoded image.

    pixels: uint8, H×W (grey) or H×W×3 (RGB).
    notes: what had to be done to get there, e.g. "alpha dropped".
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """An infrared and a visible image of one scene, known by their common stem."""

    name: str
    infrared: Path
    visible: Path


def read_infrared(path: Path, declared_range: tuple[float, float] | None = None) -> ImageRead:
    """Read an infrared image as grey levels.

    Three channels are reduced by BT.601, rounded. Values of more than 8 bits are scaled so that
    `declared_range` becomes 0..255, clipped; by default the full range of the file's type.

    Raises:
        InputError: the file is missing, unreadable, truncated or too small.
    """
    pixels, notes = _decode(path, declared_range)
    return ImageRead(to_grey(pixels), notes)


def read_visible(path: Path) -> ImageRead:
    """Read a visible image as RGB, or as grey where it has no colour (three equal channels).

    Raises:
        InputError: as `read_infrared`.
    """
    pixels, notes = _decode(path, None)
    colorless = pixels.ndim == 3 and bool((pixels == pixels[..., :1]).all())
    return ImageRead(np.ascontiguousarray(pixels[..., 0]) if colorless else pixels, notes)


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """round(0.299 R + 0.587 G + 0.114 B) of H×W×3; grey H×W as it is."""
    if pixels.ndim == 2:
        return pixels
    weighted = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(weighted).astype(np.uint8)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) as shown, from the file's header.

    Raises:
        InputError: the file is missing or not an image.
    """
    with _open(path) as image:
        width, height = image.size
        sideways = image.getexif().get(0x0112, 1) >= 5
    return (width, height) if sideways else (height, width)


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write uint8 H×W or H×W×3 RGB as PNG, under a temporary name first.

    Raises:
        TypeError: the pixels are not uint8.
    """
    if pixels.dtype != np.uint8:
        raise TypeError(f"images are written as uint8, not {pixels.dtype}")
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".png", stored)
    if not encoded:
        raise ValueError(f"{path}: cannot encode an image of shape {pixels.shape}")
    write_bytes(path, data.tobytes())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that `path` is either as before or complete."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def find_images(folder: Path) -> dict[str, Path]:
    """Images of a folder by stem, sorted.

    Raises:
        InputError: the folder is missing or has no images, or two images share a stem.
    """
    if not folder.is_dir():
        raise InputError(folder, "is not a folder", "give a folder of images")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in EXTENSIONS or path.name.startswith("."):
            continue
        if path.stem in found:
            raise InputError(
                path, f"has the same stem as {found[path.stem].name}", "keep one of the two"
            )
        found[path.stem] = path
    if not found:
        raise InputError(
            folder, "holds no images", f"images end in {', '.join(sorted(EXTENSIONS))}"
        )
    return found


def find_pairs(infrared_folder: Path, visible_folder: Path) -> list[Pair]:
    """Match two folders by stem (extensions may differ), sorted by name.

    Raises:
        InputError: as `find_images`, or an image has no partner.
    """
    infrared, visible = find_images(infrared_folder), find_images(visible_folder)
    for lonely, folder in (
        (infrared.keys() - visible.keys(), visible_folder),
        (visible.keys() - infrared.keys(), infrared_folder),
    ):
        if lonely:
            raise InputError(
                folder,
                f"has no partner for {list_names(lonely)}",
                "a pair shares its stem: add the images or remove their partners",
            )
    return [Pair(name, infrared[name], visible[name]) for name in infrared]


def list_names(names: Iterable[str], limit: int = 10) -> str:
    """Sorted names for a message; the rest beyond `limit` as a count."""
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more


def check_same_size(pair: Pair) -> None:
    """Refuse a pair whose images differ in size.

    Raises:
        InputError: they differ; pairs must be registered.
    """
    sizes = [image_size(pair.infrared), image_size(pair.visible)]
    if sizes[0] != sizes[1]:
        shown = " and ".join(f"{width}x{height}" for height, width in sizes)
        raise InputError(
            pair.infrared,
            f"infrared and visible differ in size: {shown}",
            "pairs must be aligned pixel by pixel: register and crop them first",
        )


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise InputError(path, "is missing", "add it") from error
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(path, f"is not a readable image ({error})", "replace it") from error


def _decode(
    path: Path, declared_range: tuple[float, float] | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    with _open(path) as opened:
        try:
            opened.load()
            image = ImageOps.exif_transpose(opened)
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(path, f"is truncated or damaged ({error})", "replace it") from error
    if min(image.size) < MINIMUM_SIDE:
        shown = f"{image.size[0]}x{image.size[1]}"
        raise InputError(path, f"is only {shown}", f"sides must be at least {MINIMUM_SIDE}")
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _scale(path, np.asarray(image), declared_range)
    notes = []
    if image.mode in {"LA", "PA", "RGBA", "La", "RGBa"} or "transparency" in image.info:
        notes.append("alpha dropped")
    if image.mode not in {"L", "RGB"}:
        grey = image.mode in {"1", "LA", "La"}
        image = image.convert("RGBA").convert("RGB") if image.mode == "P" else image
        image = image.convert("L" if grey else "RGB")
    return np.asarray(image), tuple(notes)


def _scale(
    path: Path, values: NDArray[np.generic], declared_range: tuple[float, float] | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    if declared_range is None and values.dtype.kind == "f":
        raise InputError(path, "has floating-point values of unknown range", "declare their range")
    low, high = declared_range or (0, 65535)
    scaled = (values.astype(np.float64) - low) / (high - low)
    note = f"16-bit scaled from {low:g}..{high:g}"
    return np.rint(scaled.clip(0, 1) * 255).astype(np.uint8), (note,)
