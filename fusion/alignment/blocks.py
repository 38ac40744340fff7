"""Refines a rig's transform: where each block of the image fits best, over all pairs together."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion.alignment.grid import Grid, View
from fusion.alignment.orientation import Field, sum_products
from fusion.alignment.points import NotDeterminedError, select_transform
from fusion.alignment.shift import find_peak
from fusion.alignment.transforms import Matrix, Points, project

LEVELS = ((320, 64), (640, 96))
"""Pixels of the longer side of the visible image and of a block's side, coarse to fine (choice)."""

REACH = 10
"""Largest correction of one step, in pixels of a level (choice)."""

STEPS = 2
"""Corrections at each level (choice)."""

CLEAR = 3.5
"""Robust standard deviations by which a block's peak must stand out (choice)."""

TOLERANCE = 2.0
"""Pixels of a level by which a block may differ from the others' transform (choice)."""

FEWEST = 6
"""Blocks that a correction needs (choice)."""

Values = NDArray[np.float64]


class Matches(NamedTuple):
    """Blocks, by their centers in visible pixels, and where they lie in the infrared image."""

    visible: Points
    infrared: Points
    weights: Values


def refine(views: Sequence[View], matrix: Matrix) -> Matrix:
    """Correct a transform, coarse to fine, until blocks of all pairs lie where they fit best.

    Each block's correlations of gradient orientation are added up over all pairs. The peaks are
    points, from which `select_transform` chooses the kind of transform.

    Args:
        views: pairs of one rig.
        matrix: visible pixels to infrared ones, right to about `REACH` pixels of the first level.

    Returns:
        The corrected transform; the given one if too few blocks are clear.
    """
    for longest, block in LEVELS:
        grid = Grid.make(views, longest)
        for _ in range(STEPS):
            matrix = _correct(match_blocks(views, matrix, grid, block), matrix, grid)
    return matrix


def match_blocks(views: Sequence[View], matrix: Matrix, grid: Grid, block: int) -> Matches:
    """Find where blocks of the visible images lie in the infrared ones, near a transform."""
    places = _places(grid.size, block)
    surfaces = np.zeros((len(places), 2 * REACH + 1, 2 * REACH + 1), np.float32)
    strength = np.zeros(grid.size, np.float32)
    for infrared, visible in grid.fields(views, matrix):
        strength += np.abs(visible)
        for number, (top, left) in enumerate(places):
            surfaces[number] += _block_products(infrared, visible, top, left, block)
    found = []
    for surface, (top, left) in zip(surfaces, places, strict=True):
        clear, (right, down) = _clearness(surface), find_peak(surface)
        if clear < CLEAR or max(abs(right), abs(down)) > REACH - 1:
            continue
        x, y = _centroid(strength[top : top + block, left : left + block])
        found.append((left + x, top + y, left + x + right, top + y + down, clear**2))
    table = np.array(found, np.float64).reshape(-1, 5)
    visible_points = project(grid.enlarging, table[:, :2])
    infrared_points = project(matrix @ grid.enlarging, table[:, 2:4])
    return Matches(visible_points, infrared_points, table[:, 4])


def _correct(found: Matches, matrix: Matrix, grid: Grid) -> Matrix:
    if len(found.visible) < FEWEST:
        return matrix
    magnification = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    tolerance = TOLERANCE / grid.scale * magnification
    _, inliers = cv2.estimateAffine2D(
        found.visible, found.infrared, ransacReprojThreshold=tolerance
    )
    kept = inliers.ravel() > 0
    if kept.sum() < FEWEST:
        return matrix
    try:
        fitted = select_transform(found.visible[kept], found.infrared[kept], found.weights[kept])
    except NotDeterminedError:
        return matrix
    return fitted.matrix


def _places(size: tuple[int, int], block: int) -> list[tuple[int, int]]:
    """top and left of blocks that cover the image and overlap by about a third."""
    rows, columns = (
        np.linspace(0, max(side - block, 0), max(1, round(1.5 * side / block))).astype(int)
        for side in size
    )
    return [(int(top), int(left)) for top in rows for left in columns]


def _block_products(
    infrared: Field, visible: Field, top: int, left: int, block: int
) -> NDArray[np.float32]:
    """Correlation of a visible block with what lies around it in the infrared image."""
    rows, columns = (slice(max(0, at - REACH), at + block + REACH) for at in (top, left))
    piece = visible[top : top + block, left : left + block]
    padded = np.zeros_like(visible[rows, columns])
    below, beside = top - rows.start, left - columns.start
    padded[below : below + piece.shape[0], beside : beside + piece.shape[1]] = piece
    return sum_products(infrared[rows, columns], padded, REACH)


def _clearness(surface: NDArray[np.float32]) -> float:
    """Height of the peak above the median, in robust standard deviations."""
    middle = float(np.median(surface))
    spread = 1.4826 * float(np.median(np.abs(surface - middle)))
    return (float(surface.max()) - middle) / spread if spread > 0 else 0.0


def _centroid(strength: NDArray[np.float32]) -> Values:
    rows, columns = np.indices(strength.shape)
    total = max(float(strength.sum()), 1e-9)
    return np.array([(columns * strength).sum() / total, (rows * strength).sum() / total])
