"""Applying a homography: antialiased warping, and the area that both images show."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize

from fusion.alignment.transforms import Matrix, corners

TOLERANCE = 0.01
"""Pixels by which the common area may leave an image, for rounding errors."""


class Area(NamedTuple):
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int


def warp(image: NDArray[np.uint8], matrix: Matrix, area: Area) -> NDArray[np.uint8]:
    """Resample an image on another grid, without aliasing.

    Where the new grid is coarser, the image is first smoothed by a Gaussian of the new pixels'
    size (standard deviation √(s² − 1) / 2 for a pixel of s old ones, measured at the center of the
    area). The interpolation is cubic; beyond the border, the outermost pixels are repeated.

    Args:
        image: uint8 H×W or H×W×3.
        matrix: pixels of the new grid to pixels of the image.
        area: the part of the new grid that is returned.
    """
    across, down = _pixel_extent(matrix, area)
    smooth = [float(np.sqrt(max(extent**2 - 1, 0)) / 2) for extent in (across, down)]
    if max(smooth) > 0.1:
        image = np.asarray(
            cv2.GaussianBlur(
                image,
                (0, 0),
                sigmaX=max(smooth[0], 0.1),
                sigmaY=max(smooth[1], 0.1),
                borderType=cv2.BORDER_REPLICATE,
            )
        )
    moved = matrix @ np.array([[1, 0, area.left], [0, 1, area.top], [0, 0, 1]], np.float64)
    return np.asarray(
        cv2.warpPerspective(
            image,
            moved,
            (area.width, area.height),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def common_area(matrix: Matrix, visible: tuple[int, int], infrared: tuple[int, int]) -> Area | None:
    """The largest rectangle of visible pixels that both images show.

    Args:
        matrix: pixels of the visible image to pixels of the infrared one.
        visible, infrared: (height, width).

    Returns:
        None if the images share less than 16 pixels in either direction, or if the homography's
        horizon crosses the visible image.
    """
    planes = _half_planes(matrix, visible, infrared)
    if (corners(visible) @ matrix[2, :2] + matrix[2, 2]).min() <= 0:
        return None
    middle = _deepest_point(planes)
    if middle is None:
        return None
    left, top, right, bottom = _largest_rectangle(planes, *middle)
    first = [int(np.ceil(side - TOLERANCE)) for side in (left, top)]
    last = [int(np.floor(side + TOLERANCE)) for side in (right, bottom)]
    area = Area(first[0], first[1], last[0] - first[0] + 1, last[1] - first[1] + 1)
    return area if min(area.width, area.height) >= 16 else None


def _pixel_extent(matrix: Matrix, area: Area) -> tuple[float, float]:
    """Size of a pixel of the area's center in the image, in its x and y direction."""
    center = np.array([area.left + (area.width - 1) / 2, area.top + (area.height - 1) / 2, 1.0])
    x, y, depth = matrix @ center
    jacobian = (matrix[:2, :2] - np.outer((x / depth, y / depth), matrix[2, :2])) / depth
    across, down = np.linalg.norm(jacobian, axis=1)
    return float(across), float(down)


def _half_planes(
    matrix: Matrix, visible: tuple[int, int], infrared: tuple[int, int]
) -> NDArray[np.float64]:
    """Rows (a, b, c) of unit normal, for a·x + b·y + c ≥ 0 inside both images.

    Pixels of the visible image count by their centers, those of the infrared one by their area.
    """
    rows = []
    for (height, width), (x, y, depth), rim in (
        (visible, np.eye(3), 0.0),
        (infrared, matrix, 0.5),
    ):
        rows += [x + rim * depth, y + rim * depth]
        rows += [(width - 1 + rim) * depth - x, (height - 1 + rim) * depth - y]
    planes = np.array(rows)
    normalized: NDArray[np.float64] = planes / np.linalg.norm(planes[:, :2], axis=1)[:, None]
    return normalized


def _deepest_point(planes: NDArray[np.float64]) -> tuple[float, float, float] | None:
    """x, y and distance from the border of the point furthest inside (the Chebyshev center)."""
    found = linprog(
        [0, 0, -1],
        A_ub=np.column_stack([-planes[:, :2], np.ones(len(planes))]),
        b_ub=planes[:, 2],
        bounds=[(None, None)] * 2 + [(0, None)],
    )
    return (found.x[0], found.x[1], found.x[2]) if found.success and found.x[2] >= 7 else None


def _largest_rectangle(
    planes: NDArray[np.float64], x: float, y: float, margin: float
) -> tuple[float, float, float, float]:
    """left, top, right, bottom of the largest rectangle; its log area is a concave function."""
    half = margin / 2  # the square around the center that the circle holds
    # for each side of each half plane, the rectangle's corner that comes closest to it
    nearest = [(0 if a > 0 else 2, 1 if b > 0 else 3) for a, b, _ in planes]
    weights = np.zeros((len(planes), 4))
    for row, (horizontal, vertical) in enumerate(nearest):
        weights[row, horizontal], weights[row, vertical] = planes[row, :2]
    found = minimize(
        lambda box: -np.log(box[2] - box[0]) - np.log(box[3] - box[1]),
        [x - half, y - half, x + half, y + half],
        jac=lambda box: (
            np.array([1, 0, -1, 0]) / (box[2] - box[0])
            + np.array([0, 1, 0, -1]) / (box[3] - box[1])
        ),
        constraints={
            "type": "ineq",
            "fun": lambda box: weights @ box + planes[:, 2],
            "jac": lambda _: weights,
        },
        method="SLSQP",
        options={"maxiter": 300, "ftol": 1e-10},
    )
    left, top, right, bottom = (float(side) for side in found.x)
    return left, top, right, bottom
