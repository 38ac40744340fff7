"""MSRS labels: class names, palette, and reading one label image.

Tang et al., "PIAFusion", Information Fusion 2022; the classes and colors are MFNet's
(Ha et al., IROS 2017).
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fusion.core.errors import InputError
from fusion.images.opening import damage_reported, open_image

CLASSES = (
    "background",
    "car",
    "person",
    "bike",
    "curve",
    "car stop",
    "guardrail",
    "color cone",
    "bump",
)

PALETTE: NDArray[np.uint8] = np.array(
    [
        (0, 0, 0),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
        (0, 0, 192),
        (128, 128, 0),
        (64, 64, 128),
        (192, 128, 128),
        (192, 64, 0),
    ],
    dtype=np.uint8,
)
"""RGB color of each class, 9×3."""

_INDEX_MODES = ("L", "P", "I", "I;16", "1")
_LOSSY = frozenset({"JPEG", "WEBP"})


def read_label(path: Path) -> NDArray[np.uint8]:
    """Read a label image as class indices.

    Accepted forms: a single-channel index image (stored values count, an
    embedded color map is ignored) or an RGB image painted in exactly the colors of `PALETTE`.

    Args:
        path: the label file, PNG or another lossless format.

    Returns:
        Class of each pixel, H×W, 0..8.

    Raises:
        InputError: unreadable or lossy file, a value that is not a class, or a color outside the
            palette.
    """
    mode, pixels = _decode(path)
    if mode in ("RGB", "RGBA"):
        return _from_colors(path, pixels[..., :3])
    if mode not in _INDEX_MODES:
        raise InputError(
            path,
            f"a label has one channel of class indices, not color mode {mode}",
            "export it as a single-channel PNG",
        )
    outside = np.unique(pixels[(pixels < 0) | (pixels >= len(CLASSES))]) if pixels.size else pixels
    if outside.size:
        raise InputError(
            path,
            f"label value {int(outside[0])} is not a class",
            f"allowed are 0..{len(CLASSES) - 1} ({', '.join(CLASSES)})",
        )
    return pixels.astype(np.uint8)


def _decode(path: Path) -> tuple[str, NDArray[Any]]:
    with open_image(path) as image, damage_reported(path):
        lossy = image.format if image.format in _LOSSY else _lossy_tiff(image)
        if lossy:
            raise InputError(path, f"{lossy} changes class indices", "export it as PNG")
        return image.mode, np.array(image)


def _lossy_tiff(image: Image.Image) -> str | None:
    compression = str(image.info.get("compression", ""))
    return "JPEG" if "jpeg" in compression else "WEBP" if "webp" in compression else None


def _from_colors(path: Path, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    packed, palette = _pack(rgb), _pack(PALETTE)
    order = np.argsort(palette)
    slot = np.searchsorted(palette[order], packed).clip(max=len(CLASSES) - 1)
    label = order[slot]
    unknown = palette[label] != packed
    if unknown.any():
        color = tuple(int(value) for value in rgb[unknown][0])
        raise InputError(
            path,
            f"color {color} is not in the MSRS palette",
            f"a label is a single-channel PNG of class indices 0..{len(CLASSES) - 1}, "
            "or an RGB image in the palette's colors",
        )
    classes: NDArray[np.uint8] = label.astype(np.uint8)
    return classes


def _pack(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = rgb.astype(np.uint32)
    packed: NDArray[np.uint32] = wide @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    return packed


def colorize(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paint class indices (H×W, 0..8) in the colors of `PALETTE`: RGB, H×W×3."""
    painted: NDArray[np.uint8] = PALETTE[label]
    return painted
