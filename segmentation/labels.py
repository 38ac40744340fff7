"""MSRS labels: class names, palette, day and night, and reading one label image.

Tang et al., "PIAFusion", Information Fusion 2022; the classes and colours are MFNet's
(Ha et al., IROS 2017).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fusion.core.errors import InputError

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
"""RGB colour of each class, 9×3."""

_INDEX_MODES = ("L", "P", "I", "I;16", "1")


def read_label(path: Path) -> NDArray[np.uint8]:
    """Read a label image as class indices.

    Accepts what releases and tools write: a single-channel index image (stored values count, an
    embedded colour map is ignored) or an RGB image painted in exactly the colours of `PALETTE`.

    Args:
        path: the label file, PNG.

    Returns:
        Class of each pixel, H×W, 0..8.

    Raises:
        InputError: unreadable file, a value that is no class, or a colour outside the palette.
    """
    try:
        with Image.open(path) as image:
            mode, pixels = image.mode, np.array(image)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for a broken PNG
        raise InputError(
            path, f"the label cannot be read ({error})", "copy or download it again"
        ) from error
    if mode in ("RGB", "RGBA"):
        return _from_colours(path, pixels[..., :3])
    if mode not in _INDEX_MODES:
        raise InputError(
            path,
            f"a label has one channel of class indices, not colour mode {mode}",
            "export it as a single-channel PNG",
        )
    outside = np.unique(pixels[(pixels < 0) | (pixels >= len(CLASSES))]) if pixels.size else pixels
    if outside.size:
        raise InputError(
            path,
            f"label value {int(outside[0])} is no class",
            f"allowed are 0..{len(CLASSES) - 1} ({', '.join(CLASSES)})",
        )
    return pixels.astype(np.uint8)


def _from_colours(path: Path, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    packed, palette = _pack(rgb), _pack(PALETTE)
    order = np.argsort(palette)
    slot = np.searchsorted(palette[order], packed).clip(max=len(CLASSES) - 1)
    label = order[slot]
    unknown = palette[label] != packed
    if unknown.any():
        colour = tuple(int(value) for value in rgb[unknown][0])
        raise InputError(
            path,
            f"colour {colour} is not in the MSRS palette",
            f"a label is a single-channel PNG of class indices 0..{len(CLASSES) - 1}, "
            "or an RGB image in the palette's colours",
        )
    return label.astype(np.uint8)


def _pack(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = rgb.astype(np.uint32)
    packed: NDArray[np.uint32] = wide @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    return packed


def is_night(stem: str) -> bool | None:
    """Whether an image was taken at night, by its name: 00004N night, 00537D day, else None."""
    return {"N": True, "D": False}.get(stem[-1:])


def colourise(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paint class indices (H×W, 0..8) in the colours of `PALETTE`: RGB, H×W×3."""
    return PALETTE[label]
