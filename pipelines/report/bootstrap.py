"""Is a difference between two methods real? Resampling the test images."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""R×N counts, how often each of N images is in each of R samples -> one value a sample."""


class Difference(NamedTuple):
    """A statistic of one method minus another's.

    Attributes:
        difference: on the test images as they are.
        low: lower end of the confidence interval.
        high: upper end of the confidence interval.
        p_value: two-sided share of resamples on the other side of zero.
    """

    difference: float
    low: float
    high: float
    p_value: float


def compare(
    method: Statistic,
    reference: Statistic,
    images: int,
    resamples: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Percentile bootstrap of a paired difference (Efron, 1979).

    Test images are drawn with replacement, the same draw for both methods. The interval is about
    the choice of test images; it says nothing about training seeds.

    Args:
        method: statistic of one method; a draw with NaN is ignored.
        reference: the same statistic of the other method, on the same images.
        images: number of images.
        resamples: number of draws.
        confidence: coverage of the interval.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    counts = np.vstack([np.ones(images, np.int64), drawn])
    differences = method(counts) - reference(counts)
    resampled = differences[1:][~np.isnan(differences[1:])]
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail]).tolist()
    beyond = min((resampled <= 0).mean(), (resampled >= 0).mean())
    return Difference(float(differences[0]), low, high, min(1.0, 2 * float(beyond)))
