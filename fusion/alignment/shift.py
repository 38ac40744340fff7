"""The shift between the infrared and the visible images of a set, measured over all its pairs.

One pair at night says little; many pairs from one rig agree. Fields of gradient orientation are
correlated for each pair, and the peak of the sum over all pairs is the shift.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion.alignment.orientation import correlate, orientation_field

LONGEST = 320
"""Pixels of the longer side at which shifts are measured (choice)."""

REACH = 40
"""Largest measured shift, in pixels of the reduced images: an eighth of the longer side."""

FEWEST = 5
"""Pairs below which nothing is said (choice)."""

MOST = 40
"""Pairs of a set that are measured (choice)."""

NOTED = 1.25
"""Shift, in pixels of the reduced images, from which a set is noted: 0.4 % of the longer side.

Of sets of ten pairs of TNO, published as aligned, 1 in 200 reaches it; of MSRS and RoadScene none.
"""

PROMINENCE = 3.0
"""Standard deviations by which the peak stands out in the median pair, each pair measured at the
peak of the others. Aligned or shifted sets of ten reach 4, images that do not belong together 2.6.
"""

Surface = NDArray[np.float32]


class Agreement(NamedTuple):
    """Agreement of one pair for every shift.

    surface: as `correlate` returns it, in pixels of the reduced images.
    scale: pixels of the reduced images per pixel of the given ones, at most 1.
    """

    surface: Surface
    scale: float


@dataclass(frozen=True)
class Shift:
    """Where a set's infrared images lie, compared with the visible ones.

    right, down: in pixels of the images; negative is left and up.
    error: standard error of both, in pixels (jackknife over pairs).
    agreeing: number of pairs that agree better with this shift than with none.
    pairs: number of pairs measured.
    """

    right: float
    down: float
    error: float
    agreeing: int
    pairs: int

    def __str__(self) -> str:
        sides = (
            (self.right, "to the right of", "to the left of"),
            (self.down, "below", "above"),
        )
        parts = [
            f"about {abs(value):.0f} pixel{'' if round(abs(value)) == 1 else 's'} "
            f"{forward if value > 0 else back}"
            for value, forward, back in sides
            if round(abs(value))
        ]
        return (
            f"the infrared images lie {' and '.join(parts)} the visible ones in "
            f"{self.agreeing} of {self.pairs} pairs (standard error {self.error:.1f} pixels); "
            "see `pomai align`"
        )


def measure_agreement(infrared: NDArray[np.uint8], visible: NDArray[np.uint8]) -> Agreement:
    """Correlate the gradient orientations of one pair, at reduced size.

    Args:
        infrared, visible: gray H×W of one size.
    """
    scale = min(1.0, LONGEST / max(infrared.shape))
    fields = [orientation_field(_reduced(image, scale)) for image in (infrared, visible)]
    return Agreement(correlate(fields[0], fields[1], REACH), scale)


def noted_shift(pairs: Sequence[Agreement]) -> Shift | None:
    """The shift of a set, if it is large and clear enough to be told to the user.

    Returns:
        None for aligned sets, for fewer than `FEWEST` pairs, and where the images have too little
        in common to tell.
    """
    if len(pairs) < FEWEST:
        return None
    surfaces = np.stack([pair.surface for pair in pairs])
    total = surfaces.sum(0)
    others = [find_peak(total - surface) for surface in surfaces]
    right, down = find_peak(total)
    if np.hypot(right, down) < NOTED or _prominence(surfaces, others) < PROMINENCE:
        return None
    spread = np.array(others) - np.mean(others, axis=0)
    error = float(np.sqrt((len(pairs) - 1) / len(pairs) * (spread**2).sum()))
    scale = float(np.median([pair.scale for pair in pairs]))
    gains = _values(surfaces, [(right, down)] * len(pairs)) - surfaces[:, REACH, REACH]
    return Shift(right / scale, down / scale, error / scale, int((gains > 0).sum()), len(pairs))


def find_peak(surface: Surface) -> tuple[float, float]:
    """(right, down) of the largest value, between pixels by a parabola in each direction."""
    reach = surface.shape[0] // 2
    row, column = np.unravel_index(surface.argmax(), surface.shape)
    right = _vertex(surface[row], int(column))
    down = _vertex(surface[:, column], int(row))
    return right - reach, down - reach


def _vertex(values: Surface, top: int) -> float:
    if not 0 < top < len(values) - 1:
        return float(top)
    before, peak, after = (float(value) for value in values[top - 1 : top + 2])
    curvature = before - 2 * peak + after
    return top + (before - after) / (2 * curvature) if curvature < 0 else float(top)


def _prominence(surfaces: Surface, peaks: Sequence[tuple[float, float]]) -> float:
    """How far the median pair's value at its peak is above its mean, in standard deviations."""
    spread = np.maximum(surfaces.std(axis=(1, 2)), 1e-6)
    return float(np.median((_values(surfaces, peaks) - surfaces.mean(axis=(1, 2))) / spread))


def _values(surfaces: Surface, peaks: Sequence[tuple[float, float]]) -> Surface:
    reach = surfaces.shape[1] // 2
    columns, rows = (np.rint(peaks).astype(int) + reach).T
    values: Surface = surfaces[np.arange(len(surfaces)), rows, columns]
    return values


def _reduced(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
