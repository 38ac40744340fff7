"""The pairs of one rig on the grid of the visible image, at a reduced size."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion.alignment.orientation import Field, orientation_field
from fusion.alignment.transforms import Matrix, resizing
from fusion.alignment.warp import Area, warp

MARGIN = 6
"""Pixels at the border of a warped image whose gradients depend on what lies beyond."""

Gray = NDArray[np.uint8]
Size = tuple[int, int]


class View(NamedTuple):
    """One pair of a rig, gray; all pairs of a rig have the same two sizes."""

    infrared: Gray
    visible: Gray


class Grid(NamedTuple):
    """Reduced visible pixels.

    size: (height, width).
    enlarging: pixels of this grid to pixels of the visible image.
    visible: fields of gradient orientation of the visible images.
    """

    size: Size
    enlarging: Matrix
    visible: Sequence[Field]

    @classmethod
    def make(cls, views: Sequence[View], longest: int) -> Self:
        """A grid whose longer side has `longest` pixels, or as many as the visible images."""
        shape = _size(views[0].visible)
        scale = min(1.0, longest / max(shape))
        size = max(16, round(shape[0] * scale)), max(16, round(shape[1] * scale))
        enlarging = resizing(size, shape)
        area = Area(0, 0, size[1], size[0])
        fields = [orientation_field(warp(view.visible, enlarging, area)) for view in views]
        return cls(size, enlarging, fields)

    @property
    def scale(self) -> float:
        """Pixels of this grid per visible pixel."""
        return float(1 / self.enlarging[0, 0])

    def inside(self, matrix: Matrix, infrared: Gray) -> NDArray[np.float32]:
        """1 where an infrared image has pixels, 0 elsewhere and in a margin.

        Args:
            matrix: visible pixels to infrared pixels.
        """
        whole = np.full(infrared.shape, 255, np.uint8)
        grid = matrix @ self.enlarging
        warped = cv2.warpPerspective(whole, grid, self.size[::-1], flags=cv2.WARP_INVERSE_MAP)
        kernel = np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)
        padded = cv2.copyMakeBorder(warped, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        kept = cv2.erode(padded, kernel)[1:-1, 1:-1] == 255
        return np.asarray(kept, np.float32)

    def infrared(self, view: View, matrix: Matrix) -> Field:
        """The field of a pair's infrared image, warped to this grid."""
        area = Area(0, 0, self.size[1], self.size[0])
        return orientation_field(warp(view.infrared, matrix @ self.enlarging, area))

    def fields(self, views: Sequence[View], matrix: Matrix) -> list[tuple[Field, Field]]:
        """Fields of all pairs, zero where not both have pixels, of which each pair counts the same.

        Returns:
            Infrared and visible for each pair; the norms of the two have product 1.
        """
        inside = self.inside(matrix, views[0].infrared)
        pairs = []
        for view, visible in zip(views, self.visible, strict=True):
            infrared, masked = self.infrared(view, matrix) * inside, visible * inside
            norm = np.sqrt(np.linalg.norm(infrared) * np.linalg.norm(masked))
            factor = np.float32(1 / max(float(norm), 1e-6))
            pairs.append((infrared * factor, masked * factor))
        return pairs


def _size(image: Gray) -> Size:
    return image.shape[0], image.shape[1]
