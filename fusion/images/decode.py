"""Image files: decoding, validating, writing.

Every supported file is decoded to 8-bit gray H×W or 8-bit RGB H×W×3.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from fusion.core.errors import InputError
from fusion.core.files import write_bytes
from fusion.images.levels import DIM_BITS, SCALED, require_range, scale_levels
from fusion.images.opening import DAMAGE, LARGEST, damage_reported, open_image

MINIMUM_SIDE = 16
_ALPHA = "alpha dropped"
COLORED_INFRARED = (
    "in color, only its luma is used: is it color-mapped, or are the folders exchanged?"
)
_FOURTH_CHANNEL = (
    "fourth channel dropped: if it is the infrared image (MFNet), name one folder for both"
)
ONE_IMAGE = "infrared and visible show one image, not a pair: check the folders"
_FROM_FOURTH = "read from the fourth channel"
_COLOR_TOLERANCE = 8
"""Gray levels by which channels of a gray image differ after JPEG compression; a choice."""

_DEEP_COLOR = "16-bit color read as 8-bit"
_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112


@dataclass(frozen=True)
class ImageRead:
    """A decoded image.

    pixels: uint8, H×W (gray) or H×W×3 (RGB).
    notes: the conversions that were needed, e.g. "alpha dropped".
    stored: the file is an 8-bit PNG of exactly these pixels already.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()
    stored: bool = False


def read_infrared(
    path: Path, declared_range: tuple[float, float] | None = None, *, largest: int = LARGEST
) -> ImageRead:
    """Read an infrared image as gray levels.

    Three channels are reduced by BT.601, rounded; a note says so where they differ. Values of more
    than 8 bits are scaled so that `declared_range` becomes 0..255, clipped; by default the full
    range of the file's type. `largest` is that of `open_image`.

    Raises:
        InputError: the file is missing, unreadable, truncated, too small or too large, or the range
            is not two finite numbers in order.

    >>> write_image(folder / "infrared.png", np.full((20, 30), 7, np.uint8))
    >>> image = read_infrared(folder / "infrared.png")
    >>> image.pixels.shape, int(image.pixels.max()), image.notes
    ((20, 30), 7, ())
    """
    if declared_range:
        require_range(declared_range)
    image = _decode(path, declared_range, largest)
    if declared_range and not any(note.startswith(SCALED) for note in image.notes):
        depth = "16-bit color" if _DEEP_COLOR in image.notes else "8 bits"
        image = replace(image, notes=(*image.notes, f"{depth}: the declared range is not used"))
    if image.pixels.ndim == 2:
        return image
    return ImageRead(to_gray(image.pixels), _color_notes(image))


def read_visible(path: Path, *, largest: int = LARGEST) -> ImageRead:
    """Read a visible image as RGB, or as gray where it has no color (three equal channels).

    Raises:
        InputError: as `read_infrared`.
    """
    image = _decode(path, None, largest)
    pixels = image.pixels
    if pixels.ndim == 2 or (pixels != pixels[..., :1]).any():
        return image
    return ImageRead(np.ascontiguousarray(pixels[..., 0]), image.notes)


def read_four_channels(path: Path) -> tuple[ImageRead, ImageRead]:
    """Read an infrared and a visible image from one file: infrared is the fourth channel (MFNet).

    Raises:
        InputError: as `read_infrared`, or the file does not have four channels of 8 bits.
    """
    with open_image(path) as opened, damage_reported(path):
        if opened.mode != "RGBA":
            reason = f"has no fourth channel with the infrared image (mode {opened.mode})"
            remedy = "give separate folders `infrared` and `visible`, or restore the file"
            raise InputError(path, reason, remedy)
        if ";16" in _layout(opened):
            reason = "has four channels of 16 bits, of which only 8 would be read"
            raise InputError(path, reason, "store it scaled to 8 bits a channel")
        pixels = np.array(opened)
    if min(pixels.shape[:2]) < MINIMUM_SIDE:
        shown = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise InputError(path, f"is only {shown}", f"sides must be at least {MINIMUM_SIDE}")
    infrared, visible = (np.ascontiguousarray(part) for part in (pixels[..., 3], pixels[..., :3]))
    return ImageRead(infrared, (_FROM_FOURTH,)), ImageRead(visible)


def _color_notes(infrared: ImageRead) -> tuple[str, ...]:
    """The notes of an infrared image of three channels, and more if it has colors."""
    if not has_color(infrared.pixels):
        return infrared.notes
    others = (_FOURTH_CHANNEL if note == _ALPHA else note for note in infrared.notes)
    return (*others, COLORED_INFRARED)


def has_color(pixels: NDArray[np.uint8]) -> bool:
    """Whether the channels of H×W×3 differ by more than compression makes them differ."""
    red, green, blue = cv2.split(pixels)
    spread = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    return int(spread.max()) > _COLOR_TOLERANCE


def to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gray H×W as three equal channels H×W×3; RGB as it is."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def to_gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """round(0.299 R + 0.587 G + 0.114 B) of H×W×3; gray H×W as it is."""
    if pixels.ndim == 2:
        return pixels
    weighted = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(weighted).astype(np.uint8)


def is_one_image(infrared: NDArray[np.uint8], visible: NDArray[np.uint8]) -> bool:
    """Whether H×W is H×W or H×W×3 in gray, but for rounding; one flat color does not count."""
    for step in (16, 1):  # a few rows tell most pairs apart
        rows = infrared[::step], to_gray(visible[::step])
        if rows[0].shape != rows[1].shape or int(cv2.absdiff(*rows).max()) > 2:
            return False
    return bool((infrared != infrared[0, 0]).any())


def image_size(path: Path, *, largest: int = LARGEST) -> tuple[int, int]:
    """(height, width) as decoded, from the file's header; `largest` is that of `open_image`.

    Raises:
        InputError: the file is missing, not an image or too large.
    """
    with open_image(path, largest) as image, damage_reported(path):
        width, height = image.size
        if isinstance(image, TiffImageFile):  # its size may be turned already: the tags never are
            width, height = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
        sideways = (_orientation(image) or 1) >= 5
    return (width, height) if sideways else (height, width)


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write uint8 H×W, H×W×3 RGB, or H×W×4 RGBA as PNG, under a temporary name first.

    Raises:
        TypeError: the pixels are not uint8.
    """
    write_bytes(path, encode_png(pixels))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """The PNG file of uint8 H×W, H×W×3 RGB, or H×W×4 RGBA.

    Raises:
        TypeError: the pixels are not uint8.
    """
    if pixels.dtype != np.uint8:
        raise TypeError(f"images are written as uint8, not {pixels.dtype}")
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, order[pixels.shape[2]])
    encoded, data = cv2.imencode(".png", stored)
    if not encoded:
        raise ValueError(f"cannot encode an image of shape {pixels.shape}")
    return data.tobytes()


def _decode(path: Path, declared_range: tuple[float, float] | None, largest: int) -> ImageRead:
    """H×W or H×W×3; three equal channels stay three."""
    with open_image(path, largest) as opened:
        layout = _layout(opened)
        deep_gray = "LA;16" in layout
        with damage_reported(path):
            frames = int(getattr(opened, "n_frames", 1))
            orientation = _orientation(opened)
            opened.load()
            picture = _deep_gray(path, orientation) if deep_gray else opened
            turned = orientation is not None and orientation > 1
            image = ImageOps.exif_transpose(picture) if turned else picture
            pixels, notes = _eight_bits(path, image, declared_range)
        if deep_gray:
            notes += (_ALPHA,)
        elif ";16" in layout and not _is_wide(opened):
            notes += (_DEEP_COLOR, *_dim_color(pixels))
        if frames > 1:
            notes += (f"only the first of {frames} frames is read",)
        if orientation is None:
            notes += ("broken EXIF: not turned",)
        elif turned:
            notes += ("turned as its EXIF says",)
        stored = opened.format == "PNG" and opened.mode in {"L", "RGB"} and not notes
    if min(pixels.shape[:2]) < MINIMUM_SIDE:
        shown = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise InputError(path, f"is only {shown}", f"sides must be at least {MINIMUM_SIDE}")
    return ImageRead(pixels, notes, stored)


def _dim_color(pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    """A note on 16-bit color, of which `pixels` are the high bytes, that is dark as stored."""
    bits = 8 + int(pixels.max()).bit_length()
    if bits > DIM_BITS:
        return ()
    return (f"dark, at most {bits} of 16 bits are used: store it scaled to 8 or 16 bits",)


def _layout(image: ImageFile.ImageFile) -> str:
    """How the pixels of a file that is not decoded yet are stored; `;16` means 16 bits."""
    return str([tile[3] for tile in image.tile])


def _orientation(image: ImageFile.ImageFile) -> int | None:
    """Orientation by EXIF or XMP, 1 to 8 (0: not stated); None if the EXIF data is damaged.

    Only what stands before the pixels counts, so that sizes from headers are those of decoding.

    Args:
        image: a file that is not decoded yet.
    """
    try:
        # a PNG's own getexif() would decode the picture, and find EXIF behind its pixels
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except DAMAGE:
        return None
    return int(value) if value in range(9) else None


def _eight_bits(
    path: Path, image: Image.Image, declared_range: tuple[float, float] | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    if _is_wide(image):
        return scale_levels(path, np.asarray(image), declared_range)
    alpha = image.has_transparency_data
    if image.mode in {"1", "LA", "La"}:
        image = image.convert("L")
    elif image.mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    return np.array(image), (_ALPHA,) if alpha else ()


def _is_wide(image: Image.Image) -> bool:
    return image.mode in {"I", "F"} or image.mode.startswith("I;16")


def _deep_gray(path: Path, orientation: int | None) -> Image.Image:
    """The gray of a PNG that has alpha too, 16 bits each: Pillow keeps only the high bytes."""
    decoded = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise OSError("it cannot be decoded")
    image = Image.fromarray(np.ascontiguousarray(decoded[..., 0]))
    image.getexif()[_ORIENTATION] = orientation or 1
    return image
