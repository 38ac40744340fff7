"""Transforms from pairs of points: which kind the points support, and how large its errors are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusion.alignment.transforms import FEWEST_POINTS, Matrix, Points, fit, project

Values = NDArray[np.float64]

WORTH = 0.9
"""Share of the squared leave-one-out distances that justifies more parameters (choice)."""


class NotDeterminedError(ValueError):
    """Points that do not determine a transform."""


@dataclass(frozen=True)
class PointFit:
    """A transform that was fitted to points.

    kind: "shift", "similarity", "affine" or "homography".
    matrix: from the source points to the target points.
    residuals: distance of each point from where the transform puts it, in target pixels.
    left_out: the same distances, each point by a transform that was fitted to the others.
    """

    kind: str
    matrix: Matrix
    residuals: Values
    left_out: Values


def select_transform(source: Points, target: Points, weights: Values | None = None) -> PointFit:
    """Fit the kind of transform that predicts points best that it was not fitted to.

    Kinds are compared by the squares of their leave-one-out distances, so that few or inexact
    points get a simple transform. A kind with more parameters must lower them to `WORTH` times.

    Args:
        source, target: N×2 pixels.
        weights: N factors of the squared distances; equal by default.

    Raises:
        NotDeterminedError: there are fewer than two points, or they coincide.
    """
    factors = np.ones(len(source)) if weights is None else weights
    fits = [
        found
        for kind, fewest in FEWEST_POINTS.items()
        if len(source) > fewest and (found := _fit_and_leave_out(kind, source, target, factors))
    ]
    if not fits:
        raise NotDeterminedError("at least two different points are needed")
    losses = [float((factors * found.left_out**2).sum()) for found in fits]
    best = 0
    for number, loss in enumerate(losses):
        if loss < WORTH * losses[best]:
            best = number
    return fits[best]


def _fit_and_leave_out(
    kind: str, source: Points, target: Points, weights: Values
) -> PointFit | None:
    """None if the points, or all but one of them, do not determine this kind."""
    try:
        matrix = fit(kind, source, target, weights)
        left_out = [_error_without(kind, index, source, target, weights) for index in _all(source)]
    except ValueError:
        return None
    residuals = np.linalg.norm(project(matrix, source) - target, axis=1)
    return PointFit(kind, matrix, residuals, np.array(left_out))


def _error_without(kind: str, index: int, source: Points, target: Points, weights: Values) -> float:
    others = np.arange(len(source)) != index
    matrix = fit(kind, source[others], target[others], weights[others])
    return float(np.linalg.norm(project(matrix, source[[index]]) - target[index]))


def _all(points: Points) -> range:
    return range(len(points))
