"""Confusion matrices, and the scores computed from them: IoU, mIoU, pixel accuracy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segmentation.classes import MSRS, LabelClasses

if TYPE_CHECKING:
    from torch import Tensor

Matrices = NDArray[np.int64]


def confusion_matrices(prediction: "Tensor", truth: "Tensor", classes: int = len(MSRS)) -> "Tensor":
    """Count pixels of each (true class, predicted class), for every image of a batch.

    Args:
        prediction: class indices, B×H×W, 0..K−1.
        truth: class indices, B×H×W, 0..K−1; larger values (`IGNORE`) are not counted.
        classes: K.

    Returns:
        int64, B×K×K; rows are the truth, columns the prediction.
    """
    import torch  # seconds, which the report does not need

    images = truth.shape[0]
    image = torch.arange(images, device=truth.device).view(-1, 1, 1)
    cell = (image * classes + truth.long()) * classes + prediction.long()
    counts = torch.bincount(cell[truth < classes], minlength=images * classes**2)
    return counts.view(images, classes, classes)


def iou(matrices: NDArray[np.number]) -> NDArray[np.float64]:
    """Intersection over union of each class.

    Args:
        matrices: counts, …×K×K.

    Returns:
        …×K in [0, 1]; NaN for a class that is neither in the truth nor in the prediction.
    """
    intersection = np.diagonal(matrices, axis1=-2, axis2=-1).astype(np.float64)
    union = matrices.sum(-1) + matrices.sum(-2) - intersection
    shares: NDArray[np.float64] = np.divide(
        intersection, union, out=np.full_like(intersection, np.nan), where=union > 0
    )
    return shares


def mean_iou(matrices: NDArray[np.number], background: bool = True) -> NDArray[np.float64]:
    """Mean of the classes' IoU, ignoring NaN: …×K×K -> …

    Args:
        matrices: counts, …×K×K.
        background: whether class 0 counts.
    """
    values = iou(matrices)[..., 0 if background else 1 :]
    present = ~np.isnan(values)
    total = np.where(present, values, 0).sum(-1)
    number = present.sum(-1)
    means: NDArray[np.float64] = np.divide(
        total, number, out=np.full_like(total, np.nan), where=number > 0
    )
    return means


@dataclass(frozen=True)
class Scores:
    """Scores of one confusion matrix over a set of images; fractions in [0, 1], None for NaN.

    Attributes:
        miou: mean IoU over the classes that count and are not absent.
        iou: IoU by class name; None for an absent class.
        absent: classes neither in the truth nor predicted.
        pixel_accuracy: correct pixels / all pixels.
        pixels: pixels of each class in the truth.
        images: number of images.
    """

    miou: float | None
    iou: dict[str, float | None]
    absent: list[str]
    pixel_accuracy: float | None
    pixels: dict[str, int]
    images: int


def scores(per_image: Matrices, classes: LabelClasses = MSRS) -> Scores:
    """Score a set of images by the sum of their confusion matrices (N×K×K).

    >>> import torch
    >>> truth = torch.tensor([[[0, 0, 1, 1]]])
    >>> found = torch.tensor([[[0, 0, 0, 1]]])
    >>> result = scores(confusion_matrices(found, truth).numpy())
    >>> round(result.miou, 4), result.pixel_accuracy
    (0.5833, 0.75)
    """
    matrix = per_image.sum(0)
    by_class = dict(zip(classes.names, map(_none_for_nan, iou(matrix)), strict=True))
    total = int(matrix.sum())
    return Scores(
        miou=_none_for_nan(mean_iou(matrix, classes.background)),
        iou=by_class,
        absent=[name for name, value in by_class.items() if value is None],
        pixel_accuracy=int(np.trace(matrix)) / total if total else None,
        pixels=dict(zip(classes.names, matrix.sum(1).tolist(), strict=True)),
        images=len(per_image),
    )


def _none_for_nan(value: np.float64 | NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)
