"""A first guess of a rig's transform: scale, rotation and shift, tried out over all its pairs."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from fusion.alignment.grid import Gray, Grid, Size, View
from fusion.alignment.orientation import orientation_field, sum_products
from fusion.alignment.shift import find_peak
from fusion.alignment.transforms import Matrix, resizing
from fusion.alignment.warp import Area, warp
from fusion.images.panels import spread

LONGEST = 96
"""Pixels of the longer side of the visible image at which all transforms are tried (choice)."""

SCALES = tuple(1.06**step for step in range(-13, 11))
"""Width that the infrared image covers, per width of the visible one: 0.47 to 1.8 (choice)."""

ANGLES = (-4, 0, 4)
"""Rotations in degrees (choice)."""

TRIED_ON = 16
"""Pairs on which all transforms are tried (choice)."""

FINER = ((160, 0.015, 1.0), (320, 0.007, 0.5))
"""Longer side, step of scale, and step of rotation in degrees, around the best (choice)."""

REACH = 12
"""Largest shift of a finer step, in pixels of its grid (choice)."""


class Guess(NamedTuple):
    """A transform that was tried.

    matrix: visible pixels to infrared pixels.
    score: agreement of the pairs; larger is better.
    """

    matrix: Matrix
    score: float


def search(views: Sequence[View]) -> Matrix:
    """Try scales, rotations and shifts, and return the transform on which the pairs agree most.

    First all are tried at a small size: the fields of gradient orientation of each pair are
    correlated, the correlations of all pairs are added up, and the tallest peak above its
    surroundings wins. Then neighbors of the best are tried at larger sizes.
    """
    matrix = _search_all(spread(views, TRIED_ON))
    for longest, scale_step, angle_step in FINER:
        grid = Grid.make(views, longest)
        steps = range(-2, 3)
        guesses = [
            _near(views, grid, matrix, 1 + scale_step * larger, angle_step * turned)
            for larger, turned in product(steps, steps)
        ]
        matrix = max(guesses, key=_score).matrix
    return matrix


def _score(guess: Guess) -> float:
    return guess.score


def _search_all(views: Sequence[View]) -> Matrix:
    shape = views[0].visible.shape
    small = _scaled(shape, LONGEST / max(shape))
    canvas = [fft.next_fast_len(side + round(max(SCALES) * LONGEST)) for side in small]
    spectra = [_spectrum(_resized(view.visible, small), canvas) for view in views]
    reduction = resizing((shape[0], shape[1]), small)
    guesses = [
        _try(views, spectra, reduction, small, scale, angle)
        for scale, angle in product(SCALES, ANGLES)
    ]
    return max(guesses, key=_score).matrix


def _try(
    views: Sequence[View],
    spectra: Sequence[NDArray[np.complex64]],
    reduction: Matrix,
    small: Size,
    scale: float,
    angle: float,
) -> Guess:
    """The best shift at a scale and an angle; its score is in standard deviations."""
    shape = views[0].infrared.shape
    size = _scaled(shape, scale * small[1] / shape[1])
    back = resizing(size, (shape[0], shape[1])) @ _turn(size, -angle)
    area = Area(0, 0, size[1], size[0])
    total = np.zeros(spectra[0].shape, np.complex64)
    for view, spectrum in zip(views, spectra, strict=True):
        total += _spectrum(warp(view.infrared, back, area), spectrum.shape) * spectrum.conj()
    surface = fft.ifft2(total).real
    place = np.unravel_index(surface.argmax(), surface.shape)
    score = float((surface[place] - surface.mean()) / max(surface.std(), 1e-9))
    down, right = (
        int(at) - (full if at > full - own else 0)
        for at, full, own in zip(place, surface.shape, small, strict=True)
    )
    return Guess(back @ _shift(right, down) @ reduction, score)


def _near(views: Sequence[View], grid: Grid, matrix: Matrix, scale: float, angle: float) -> Guess:
    """The best shift near a transform that is scaled and turned a little about the center."""
    shape = views[0].visible.shape
    center = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    turned = matrix @ np.vstack([cv2.getRotationMatrix2D(center, angle, scale), [0, 0, 1]])
    pairs = grid.fields(views, turned)
    surface = np.sum([sum_products(*pair, REACH) for pair in pairs], axis=0)
    right, down = find_peak(surface)
    moved = turned @ _shift(right / grid.scale, down / grid.scale)
    return Guess(moved, float(surface.max()))


def _spectrum(image: Gray, shape: Sequence[int]) -> NDArray[np.complex64]:
    """Of the field of gradient orientation, normalized so that each image counts the same."""
    field = orientation_field(image)
    normalized = field / np.float32(max(float(np.linalg.norm(field)), 1e-6))
    spectrum: NDArray[np.complex64] = fft.fft2(normalized, shape)
    return spectrum


def _shift(right: float, down: float) -> Matrix:
    return np.array([[1, 0, right], [0, 1, down], [0, 0, 1]], np.float64)


def _turn(size: Size, degrees: float) -> Matrix:
    """Rotation about the center of an image."""
    center = (size[1] - 1) / 2, (size[0] - 1) / 2
    return np.vstack([cv2.getRotationMatrix2D(center, degrees, 1.0), [0, 0, 1]])


def _scaled(shape: tuple[int, ...], factor: float) -> Size:
    return max(16, round(shape[0] * factor)), max(16, round(shape[1] * factor))


def _resized(image: Gray, size: Size) -> Gray:
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA))
