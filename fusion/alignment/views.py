"""Pairs of files as the views from which a rig's transform is estimated."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fusion.alignment.grid import Gray, Size, View
from fusion.alignment.transforms import Matrix, resizing
from fusion.core.errors import InputError
from fusion.images.decode import image_size, read_infrared
from fusion.images.pairs import Pair

LONGEST = 640
"""Pixels of the longer side of the images from which a transform is estimated (choice)."""


def rig_sizes(pairs: Sequence[Pair]) -> tuple[Size, Size]:
    """(height, width) of the visible and of the infrared images of a rig.

    Raises:
        InputError: an image is of another size than the first, or unreadable.
    """
    visible = _one_size([pair.visible for pair in pairs])
    return visible, _one_size([pair.infrared for pair in pairs])


def read_views(
    pairs: Sequence[Pair], infrared_range: tuple[float, float] | None = None
) -> list[View]:
    """Read pairs as gray images, reduced to at most `LONGEST` pixels.

    Raises:
        InputError: an image is unreadable.
    """
    return [
        View(
            _reduced(read_infrared(pair.infrared, infrared_range).pixels),
            _reduced(read_infrared(pair.visible).pixels),
        )
        for pair in pairs
    ]


def full_size(matrix: Matrix, view: View, visible: Size, infrared: Size) -> Matrix:
    """A transform of reduced views as one of images of full size."""
    reducing = resizing(visible, (view.visible.shape[0], view.visible.shape[1]))
    enlarging = resizing((view.infrared.shape[0], view.infrared.shape[1]), infrared)
    full = enlarging @ matrix @ reducing
    return np.asarray(full / full[2, 2], np.float64)


def _one_size(paths: Sequence[Path]) -> Size:
    size = image_size(paths[0])
    for path in paths[1:]:
        if (other := image_size(path)) != size:
            reason = f"is {other[1]}x{other[0]} and {paths[0]} is {size[1]}x{size[0]}"
            raise InputError(path, reason, "align the images of one camera pair at a time")
    return size


def _reduced(image: Gray) -> Gray:
    scale = LONGEST / max(image.shape)
    if scale >= 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
