"""Is a difference between two methods real? Resampling of test images and training seeds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""A statistic in every draw; the first is of the images and seeds as they are."""


class Difference(NamedTuple):
    """A statistic of one method minus another's.

    Attributes:
        difference: on the test images and seeds as they are.
        low: lower end of the confidence interval.
        high: upper end of the confidence interval.
        p_value: two-sided share of draws on the other side of zero, the value itself counted as
            one more draw (Davison and Hinkley, 1997), so it is never 0.
    """

    difference: float
    low: float
    high: float
    p_value: float


def draw_images(images: int, draws: int, seed: int = 0) -> NDArray[np.int64]:
    """How often each image is in each draw with replacement.

    Returns:
        (draws + 1)×N counts; the first row is the images as they are.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(images, np.full(images, 1 / images), size=draws)
    return np.vstack([np.ones(images, np.int64), drawn])


def draw_seeds(seeds: int, draws: int, rng: np.random.Generator) -> Values:
    """The weight of each training seed in each draw with replacement.

    The mean of S drawn values varies less than the mean of S new ones, by a factor of
    sqrt((S - 1) / S). Weights are spread to make up for it (Rao and Wu, 1988).

    Returns:
        (draws + 1)×S, rows with a sum of 1; the first row is the seeds as they are. A single seed
        always has the weight 1: nothing is known about its spread.
    """
    even = np.full((draws + 1, seeds), 1 / seeds)
    if seeds == 1:
        return even
    drawn = rng.multinomial(seeds, even[0], size=draws) / seeds
    even[1:] += np.sqrt(seeds / (seeds - 1)) * (drawn - 1 / seeds)
    return even


def over_seeds(values: NDArray[np.float64], rng: np.random.Generator) -> Values:
    """Resample the seeds of a statistic whose images are resampled already.

    Seeds and images are crossed: every seed has the same images in a draw.

    Args:
        values: (draws + 1)×S, the statistic of each seed's network.
        rng: generator of the draws, which should differ between methods: their networks have
            nothing to do with each other, even with equal seeds.
    """
    weights = draw_seeds(values.shape[1], len(values) - 1, rng)
    means: Values = (values * weights).sum(1)
    return means


def interval(values: Values, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the draws (Efron, 1979); draws with NaN are left out."""
    drawn = values[1:][~np.isnan(values[1:])]
    if not drawn.size:
        return np.nan, np.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return low, high


def compare(method: Values, reference: Values, confidence: float = 0.95) -> Difference:
    """Bootstrap of a paired difference: the draws of both methods have the same images."""
    differences = method - reference
    low, high = interval(differences, confidence)
    drawn = differences[1:][~np.isnan(differences[1:])]
    if not drawn.size:
        return Difference(float(differences[0]), low, high, np.nan)
    beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
    p_value = min(1.0, 2 * float(1 + beyond) / (drawn.size + 1))
    return Difference(float(differences[0]), low, high, p_value)
