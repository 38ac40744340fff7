"""Is a difference in mIoU real? Resampling the test images."""

from dataclasses import dataclass

import numpy as np

from segmentation.confusion import Matrices, mean_iou


@dataclass(frozen=True)
class Difference:
    """mIoU of one method minus another's.

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
    method: Matrices,
    reference: Matrices,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Percentile bootstrap of a paired difference in mIoU (Efron, 1979).

    Test images are drawn with replacement, the same draw for both methods, and each draw's mIoU
    comes from one confusion matrix over it. The interval is about the choice of test images; it
    says nothing about training seeds.

    Args:
        method: confusion matrix of each test image, N×9×9.
        reference: the other method's, of the same images in the same order.
        resamples: number of draws.
        confidence: coverage of the interval.
        seed: of the draws.

    Raises:
        ValueError: the two are not of the same images (shape or pixels of each class differ).
    """
    if method.shape != reference.shape or not np.array_equal(method.sum(-1), reference.sum(-1)):
        raise ValueError("the two methods were not tested on the same images in the same order")
    images = len(method)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    drawn = _resampled_miou(counts, method) - _resampled_miou(counts, reference)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    beyond = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return Difference(
        difference=float(mean_iou(method.sum(0)) - mean_iou(reference.sum(0))),
        low=float(low),
        high=float(high),
        p_value=min(1.0, 2 * float(beyond)),
    )


def _resampled_miou(counts: Matrices, matrices: Matrices) -> np.ndarray:
    # In float64 the product is a BLAS call, and exact: pixel counts stay far below 2^53.
    flat = counts.astype(np.float64) @ matrices.reshape(len(matrices), -1).astype(np.float64)
    return mean_iou(flat.reshape(-1, *matrices.shape[1:]))
