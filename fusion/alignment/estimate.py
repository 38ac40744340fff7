"""The transform of a rig, from its images alone: found on some pairs, checked on others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from fusion.alignment.blocks import refine
from fusion.alignment.grid import Grid, View
from fusion.alignment.orientation import sum_products
from fusion.alignment.search import search
from fusion.alignment.shift import find_peak
from fusion.alignment.transforms import Matrix, corner_distance, resizing

FEWEST = 9
"""Pairs that an estimate needs: three of them check it."""

CHECKED_AT = 320
"""Pixels of the longer side at which held-out pairs are compared (choice)."""

RISK = 0.05
"""Probability of accepting a transform that does not help (one-sided paired t-test)."""

NEAR = 2.0
"""Pixels at `CHECKED_AT` by which the held-out pairs' best shift may differ from none (choice)."""

PROMINENCE = 4.0
"""Standard deviations by which the held-out pairs' agreement stands out from other shifts (choice).
"""

REACH = 24
"""Largest shift that is compared, in pixels at `CHECKED_AT` (choice)."""


Find = Callable[[Sequence[View]], Matrix | None]
"""Finds the matrix from visible to infrared pixels, or None."""


def find_jointly(views: Sequence[View]) -> Matrix:
    """Coarse to fine on gradient orientation, over all views together."""
    return refine(views, search(views))


class Check(NamedTuple):
    """Agreement of held-out pairs under a transform.

    values: correlation of each pair's gradient orientations, -1..1.
    prominence: standard deviations by which their sum stands out from those of other shifts.
    shift: (right, down) at which they agree best, in pixels at `CHECKED_AT`.
    """

    values: tuple[float, ...]
    prominence: float
    shift: tuple[float, float]

    @property
    def mean(self) -> float:
        """Mean correlation."""
        return float(np.mean(self.values))

    @property
    def is_supported(self) -> bool:
        """Whether the pairs agree clearly, and best where they are."""
        return self.prominence >= PROMINENCE and float(np.hypot(*self.shift)) <= NEAR


@dataclass(frozen=True)
class Estimate:
    """A transform and what speaks for it.

    matrix: visible pixels to infrared pixels.
    start: the same for images that are only resized to one size.
    before, after: agreement of the held-out pairs under `start` and under `matrix`.
    moved: mean distance between where `start` and `matrix` put the corners, in infrared pixels.
    verdict: "improved", "resized" (resizing is right already) or "refused".
    """

    matrix: Matrix
    start: Matrix
    before: Check
    after: Check
    moved: float
    verdict: str

    def __str__(self) -> str:
        """What was tried and how it went, in one line."""
        return (
            f"on {len(self.after.values)} held-out pairs the correlation of gradient orientations "
            f"is {self.before.mean:.3f} when the images are only resized, and "
            f"{self.after.mean:.3f} with the estimated transform, which moves the corners by "
            f"{self.moved:.1f} infrared pixels"
        )


def estimate(views: Sequence[View], find: Find = find_jointly) -> Estimate:
    """Estimate the transform of a rig jointly over its pairs.

    Two thirds of the pairs give the transform, every third pair checks it. It is accepted if their
    agreement rises (`RISK`), is clear, and is best without a further shift.

    Args:
        views: pairs of one rig, at least `FEWEST`.
        find: how the transform is found; where it finds none, resizing is checked.

    Raises:
        ValueError: there are fewer pairs.
    """
    if len(views) < FEWEST:
        raise ValueError(f"{len(views)} pairs are fewer than {FEWEST}")
    held_out = views[1::3]
    used = [view for number, view in enumerate(views) if number % 3 != 1]
    infrared, visible = views[0]
    size = visible.shape[0], visible.shape[1]
    start = resizing(size, (infrared.shape[0], infrared.shape[1]))
    found = find(used)
    matrix = start if found is None else found
    before, after = check(held_out, start), check(held_out, matrix)
    moved = corner_distance(start, matrix, size)
    return Estimate(matrix, start, before, after, moved, _verdict(before, after))


def check(views: Sequence[View], matrix: Matrix) -> Check:
    """Measure how well pairs agree under a transform."""
    grid = Grid.make(views, CHECKED_AT)
    surfaces = [sum_products(*pair, REACH) for pair in grid.fields(views, matrix)]
    total = np.sum(surfaces, axis=0)
    prominence = float((total[REACH, REACH] - total.mean()) / max(float(total.std()), 1e-9))
    values = tuple(float(surface[REACH, REACH]) for surface in surfaces)
    return Check(values, prominence, find_peak(total))


def _verdict(before: Check, after: Check) -> str:
    gains = np.subtract(after.values, before.values)
    improves = bool(stats.ttest_1samp(gains, 0, alternative="greater").pvalue < RISK)
    if after.is_supported and improves:
        return "improved"
    return "resized" if before.is_supported else "refused"
