"""Label images: reading one as class indices, and painting indices in colors."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fusion.core.errors import InputError
from fusion.images.opening import damage_reported, open_image
from segmentation.classes import IGNORE, MSRS, LabelClasses

CLASSES = MSRS.names

OTHER_ORDER = (
    "color map with the classes' colors in another order, its indices count: "
    "if the colors are right, export as RGB"
)

_INDEX_MODES = ("L", "P", "I", "I;16", "1")
_LOSSY = frozenset({"JPEG", "WEBP"})
_ORIENTATION = 0x0112


def read_label(path: Path, classes: LabelClasses = MSRS) -> NDArray[np.uint8]:
    """Read a label image as class indices.

    Accepted forms: a single-channel index image (stored values count, an embedded color map is
    ignored) or an RGB image painted in exactly the colors of the classes.

    Args:
        path: the label file, PNG or another lossless format.
        classes: the classes, MSRS's by default.

    Returns:
        Class of each pixel, H×W, 0..K−1; `IGNORE` where the file has the value that the classes
        declare as unlabeled.

    Raises:
        InputError: unreadable or lossy file, several frames, an image that EXIF turns, a value that
            is not a class, or a color outside the palette.
    """
    return read_noted_label(path, classes)[0]


def read_noted_label(
    path: Path, classes: LabelClasses = MSRS
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Read a label image as `read_label`, with notes for the user.

    Raises:
        InputError: as `read_label`.
    """
    mode, pixels, other_order = _decode(path, classes)
    notes = (OTHER_ORDER,) if other_order else ()
    if mode in ("RGB", "RGBA"):
        return _from_colors(path, pixels[..., :3], classes), notes
    if mode not in _INDEX_MODES:
        raise InputError(
            path,
            f"a label has one channel of class indices, not color mode {mode}",
            "export it as a single-channel PNG",
        )
    invalid = (pixels < 0) | (pixels >= len(classes))
    if classes.ignore is not None:
        unlabeled = pixels == classes.ignore
        pixels, invalid = np.where(unlabeled, IGNORE, pixels), invalid & ~unlabeled
    if invalid.any():
        raise InputError(
            path, f"label value {int(pixels[invalid][0])} is not a class", _allowed(classes)
        )
    return pixels.astype(np.uint8), notes


def _allowed(classes: LabelClasses) -> str:
    unlabeled = "" if classes.ignore is None else f", and {classes.ignore} for unlabeled pixels"
    return f"allowed are 0..{len(classes) - 1} ({', '.join(classes.names)}){unlabeled}"


def _decode(path: Path, classes: LabelClasses) -> tuple[str, NDArray[Any], bool]:
    with open_image(path) as image, damage_reported(path):
        lossy = image.format if image.format in _LOSSY else _lossy_tiff(image)
        if lossy:
            raise InputError(path, f"{lossy} changes class indices", "export it as PNG")
        if (frames := int(getattr(image, "n_frames", 1))) > 1:
            raise InputError(path, f"has {frames} frames", "export one label image for each image")
        if image.getexif().get(_ORIENTATION, 1) not in (0, 1):
            raise InputError(path, "is turned by its EXIF", "store it upright, without EXIF")
        pixels = np.array(image)
        other_order = image.mode == "P" and _shows_other_order(image, pixels, classes)
        return image.mode, pixels, other_order


def _shows_other_order(image: Image.Image, pixels: NDArray[Any], classes: LabelClasses) -> bool:
    """Whether a color map has the classes' colors, but not at the classes' indices.

    A color map of other colors means nothing, as many tools write one of their own.
    """
    flat = image.getpalette("RGB") or []
    colors = [tuple(flat[start : start + 3]) for start in range(0, len(flat), 3)]
    painted = [tuple(color) for color in classes.palette]
    if not set(colors) <= set(painted):
        return False
    used = [index for index in np.unique(pixels).tolist() if index < len(colors)]
    return any(colors[index] != painted[index] for index in used if index < len(painted))


def _lossy_tiff(image: Image.Image) -> str | None:
    compression = str(image.info.get("compression", ""))
    return "JPEG" if "jpeg" in compression else "WEBP" if "webp" in compression else None


def _from_colors(path: Path, rgb: NDArray[np.uint8], classes: LabelClasses) -> NDArray[np.uint8]:
    packed, palette = _pack(rgb), _pack(np.array(classes.palette, np.uint8))
    order = np.argsort(palette)
    slot = np.searchsorted(palette[order], packed).clip(max=len(classes) - 1)
    label = order[slot]
    unknown = palette[label] != packed
    if unknown.any():
        color = tuple(int(value) for value in rgb[unknown][0])
        raise InputError(
            path,
            f"color {color} is not in the palette",
            f"a label is a single-channel PNG of class indices 0..{len(classes) - 1}, "
            "or an RGB image in the palette's colors",
        )
    indices: NDArray[np.uint8] = label.astype(np.uint8)
    return indices


def _pack(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = rgb.astype(np.uint32)
    packed: NDArray[np.uint32] = wide @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    return packed


def colorize(label: NDArray[np.uint8], classes: LabelClasses = MSRS) -> NDArray[np.uint8]:
    """Paint class indices (H×W) in the colors of their classes: RGB, H×W×3; unlabeled in white."""
    table = np.full((256, 3), 255, np.uint8)
    table[: len(classes)] = classes.palette
    painted: NDArray[np.uint8] = table[label]
    return painted
