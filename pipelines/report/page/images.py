"""The image files beside the page, each written once."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from shutil import copyfile

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion.core.files import write_bytes
from fusion.images.decode import encode_png, read_infrared, read_visible, to_rgb

THUMB_SIDE = 320
"""Longest side of a thumbnail."""

_QUALITY = 82
_DIGITS = 16


class ImageStore:
    """Files named by the digest of their content, so equal images share one.

    `images/<id>.png` holds an image's exact pixels, `thumbs/<id>.webp` a smaller copy, and
    `labels/<id>.png` a transparent overlay.

    Args:
        folder: the folder of the page; the three folders are created in it.
    """

    def __init__(self, folder: Path) -> None:
        self._images, self._thumbs, self._labels = (
            folder / name for name in ("images", "thumbs", "labels")
        )
        for path in (self._images, self._thumbs, self._labels):
            path.mkdir(parents=True, exist_ok=True)

    def add_all(
        self, paths: Iterable[Path], infrared_range: tuple[float, float] | None = None
    ) -> dict[Path, str]:
        """Add image files; their identifiers by path.

        Args:
            infrared_range: the files are infrared, and this is the declared range of
                `read_infrared`.

        Raises:
            InputError: a file is missing or not an image.
        """
        unique = list(dict.fromkeys(paths))
        add = partial(self._add, infrared_range=infrared_range)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return dict(zip(unique, pool.map(add, unique), strict=True))

    def add_label(self, colors: NDArray[np.uint8]) -> str:
        """Add an overlay, RGBA H×W×4."""
        encoded, data = cv2.imencode(".png", cv2.cvtColor(colors, cv2.COLOR_RGBA2BGRA))
        if not encoded:
            raise ValueError(f"cannot encode an overlay of shape {colors.shape}")
        content = data.tobytes()
        name = _identifier(content)
        if not (path := self._labels / f"{name}.png").exists():
            write_bytes(path, content)
        return name

    def _add(self, path: Path, infrared_range: tuple[float, float] | None) -> str:
        image = read_infrared(path, infrared_range) if infrared_range else read_visible(path)
        content = path.read_bytes() if image.stored else encode_png(image.pixels)
        name = _identifier(content)
        target = self._images / f"{name}.png"
        if not target.exists():
            write_bytes(self._thumbs / f"{name}.webp", _thumbnail(image.pixels))
            if image.stored:
                copyfile(path, target)
            else:
                write_bytes(target, content)
        return name


def _thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    height, width = pixels.shape[:2]
    scale = THUMB_SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    colors = cv2.cvtColor(to_rgb(pixels), cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".webp", colors, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    if not encoded:
        raise ValueError(f"cannot encode a thumbnail of shape {pixels.shape}")
    return data.tobytes()


def _identifier(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
