"""Homographies from visible to infrared pixels, and how they are fitted to points.

Pixel coordinates are (x, y) of pixel centers: (0, 0) is the center of the first pixel.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Matrix = NDArray[np.float64]
"""A 3×3 homography, of homogeneous coordinates."""

Points = NDArray[np.float64]
"""N×2, (x, y) in pixels."""

FEWEST_POINTS: Mapping[str, int] = MappingProxyType(
    {"shift": 1, "similarity": 2, "affine": 3, "homography": 4}
)
"""Points that each kind of transform needs at least; simple kinds first."""


def project(matrix: Matrix, points: Points) -> Points:
    """Apply a homography to points.

    >>> project(np.diag([2.0, 2.0, 1.0]), np.array([[3.0, 4.0]])).tolist()
    [[6.0, 8.0]]
    """
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    projected: Points = mapped[:, :2] / mapped[:, 2:]
    return projected


def resizing(source: tuple[int, int], target: tuple[int, int]) -> Matrix:
    """Pixels of an image of one size to those of the same image resized.

    Args:
        source, target: (height, width).

    >>> resizing((10, 20), (5, 10)).tolist()
    [[0.5, 0.0, -0.25], [0.0, 0.5, -0.25], [0.0, 0.0, 1.0]]
    """
    down, right = (to / of for of, to in zip(source, target, strict=True))
    offsets = (right - 1) / 2, (down - 1) / 2
    return np.array([[right, 0, offsets[0]], [0, down, offsets[1]], [0, 0, 1]])


def inverse(matrix: Matrix) -> Matrix:
    """The homography of the opposite direction."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def corners(size: tuple[int, int]) -> Points:
    """Centers of the four corner pixels of an image of (height, width)."""
    bottom, right = size[0] - 1.0, size[1] - 1.0
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], np.float64)


def corner_distance(first: Matrix, second: Matrix, size: tuple[int, int]) -> float:
    """Mean distance between where two homographies map an image's corners."""
    difference = project(first, corners(size)) - project(second, corners(size))
    return float(np.linalg.norm(difference, axis=1).mean())


def fit(kind: str, source: Points, target: Points, weights: Points | None = None) -> Matrix:
    """The transform of a kind with the smallest sum of squared distances.

    Args:
        kind: a key of `FEWEST_POINTS`.
        source, target: N×2, with at least as many points as the kind needs.
        weights: N factors of the squared distances; equal by default.

    Returns:
        The homography from source to target.

    Raises:
        ValueError: the points do not determine the transform, for example because they lie on one
            line.
    """
    if len(source) < FEWEST_POINTS[kind]:
        raise ValueError(f"{len(source)} points do not determine a transform of kind {kind}")
    factors = np.sqrt(np.ones(len(source)) if weights is None else np.ravel(weights))
    if kind == "homography":
        return _homography(source, target, factors)
    design, wanted = _linear_system(kind, source, target)
    rows = np.repeat(factors, 2)
    solution, _, rank, _ = np.linalg.lstsq(design * rows[:, None], wanted * rows, rcond=1e-9)
    if rank < design.shape[1]:
        raise ValueError(f"the points do not determine a transform of kind {kind}")
    return _from_solution(kind, solution)


def _linear_system(kind: str, source: Points, target: Points) -> tuple[Matrix, Matrix]:
    """Two rows for each point, x before y."""
    (x, y), one, zero = source.T, np.ones(len(source)), np.zeros(len(source))
    across, down = {
        "shift": ([one, zero], [zero, one]),
        "similarity": ([x, -y, one, zero], [y, x, zero, one]),
        "affine": ([x, y, one, zero, zero, zero], [zero, zero, zero, x, y, one]),
    }[kind]
    design = np.stack([np.column_stack(across), np.column_stack(down)], axis=1)
    offset = source if kind == "shift" else 0
    return design.reshape(2 * len(source), -1), (target - offset).ravel()


def _from_solution(kind: str, solution: Matrix) -> Matrix:
    if kind == "shift":
        right, down = solution
        rows = [[1, 0, right], [0, 1, down]]
    elif kind == "similarity":
        cosine, sine, right, down = solution
        rows = [[cosine, -sine, right], [sine, cosine, down]]
    else:
        rows = solution.reshape(2, 3).tolist()
    return np.array([*rows, [0, 0, 1]], np.float64)


def _homography(source: Points, target: Points, factors: Points) -> Matrix:
    """By Levenberg-Marquardt from the affine solution, on normalized points."""
    before, after = _normalizing(source), _normalizing(target)
    start, end = project(before, source), project(after, target)

    def distances(entries: Matrix) -> Matrix:
        mapped = project(np.append(entries, 1).reshape(3, 3), start)
        return np.ravel((mapped - end) * factors[:, None])

    affine = fit("affine", start, end, factors**2)
    found = least_squares(distances, affine.ravel()[:8], method="lm")
    strengths = np.linalg.svd(found.jac, compute_uv=False)
    if strengths[-1] < 1e-7 * strengths[0]:
        raise ValueError("the points do not determine a transform of kind homography")
    matrix = inverse(after) @ np.append(found.x, 1).reshape(3, 3) @ before
    normalized: Matrix = matrix / matrix[2, 2]
    return normalized


def _normalizing(points: Points) -> Matrix:
    """Moves points to mean 0 and mean distance √2 (Hartley, 1997)."""
    center = points.mean(0)
    spread = max(float(np.linalg.norm(points - center, axis=1).mean()), 1e-9)
    scale = np.sqrt(2) / spread
    return np.array([[scale, 0, -scale * center[0]], [0, scale, -scale * center[1]], [0, 0, 1]])
