"""Is a difference in mAP real? Resampling the test images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.matches import Matches, average_precision


@dataclass(frozen=True)
class Difference:
    """mAP@0.5 of one method minus another's.

    Attributes:
        difference: on the test images as they are.
        low: lower end of the confidence interval.
        high: upper end of it.
        p_value: two-sided share of resamples on the other side of zero.
    """

    difference: float
    low: float
    high: float
    p_value: float


def compare(
    method: Matches,
    reference: Matches,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Percentile bootstrap of a paired difference in mAP@0.5 (Efron, 1979).

    Test images are drawn with replacement, the same draw for both methods, and each draw's mAP is
    that of its detections together, over the classes that occur in it. The interval is about the
    choice of test images; it says nothing about training seeds.

    Args:
        method: all detections of one method.
        reference: the other method's, on the same images.
        resamples: number of draws.
        confidence: coverage of the interval.
        seed: of the draws.

    Raises:
        ValueError: the two are not of the same images and objects.
    """
    if method.stems != reference.stems or not np.array_equal(method.truth, reference.truth):
        raise ValueError("the two methods were not tested on the same images and objects")
    images = len(method.stems)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    # A draw without any object has no mAP.
    counts = np.vstack([np.ones(images, np.int64), drawn[(drawn @ method.truth).any(1)]])
    differences = _mean(method, counts) - _mean(reference, counts)
    observed, resampled = float(differences[0]), differences[1:]
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    beyond = min((resampled <= 0).mean(), (resampled >= 0).mean())
    return Difference(observed, float(low), float(high), min(1.0, 2 * float(beyond)))


def _mean(matches: Matches, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.nanmean(average_precision(matches, counts), axis=1)
