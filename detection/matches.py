"""Correct and false detections on the test images, from which average precision is computed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU at which a detection counts as correct, one for each column of `correct`."""

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which precision is read off (COCO)."""


@dataclass(frozen=True)
class Detections:
    """Detections on one image.

    Attributes:
        labels: class indices.
        boxes: N×4 float64, xmin, ymin, xmax, ymax in pixels.
        confidences: 0 to 1.
    """

    labels: list[int]
    boxes: NDArray[np.float64]
    confidences: list[float]


@dataclass(frozen=True)
class Matches:
    """All detections on the test images, matched to the objects there.

    Attributes:
        stems: names of the N test images.
        truth: N×C, number of objects by image and class.
        image: for each of D detections, the index of its image.
        label: its class.
        confidence: its confidence, float32.
        correct: D×10 bool, whether it was matched to an object at each of `THRESHOLDS`.
        boxes: D×4 float32, xmin, ymin, xmax, ymax in pixels of the image.
    """

    stems: list[str]
    truth: NDArray[np.int64]
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]
    boxes: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write a compressed .npz."""
        np.savez_compressed(
            path,
            stems=np.array(self.stems),
            truth=self.truth,
            image=self.image.astype(np.int32),
            label=self.label.astype(np.int16),
            confidence=self.confidence,
            correct=self.correct,
            boxes=self.boxes,
        )

    @classmethod
    def load(cls, path: Path) -> "Matches":
        """Read a file that `save` wrote."""
        with np.load(path) as stored:
            return cls(
                stems=stored["stems"].tolist(),
                truth=stored["truth"],
                image=stored["image"].astype(np.int64),
                label=stored["label"].astype(np.int64),
                confidence=stored["confidence"],
                correct=stored["correct"],
                boxes=stored["boxes"],
            )


def average_precision(
    matches: Matches, counts: NDArray[np.int64] | None = None, threshold: int = 0
) -> NDArray[np.float64]:
    """Average precision by class, interpolated at 101 recalls (COCO), as ultralytics does it.

    Args:
        matches: matches on the test images.
        counts: R×N, how often each image is in each of R resamples; by default one resample with
            each image once.
        threshold: index into `THRESHOLDS`.

    Returns:
        R×C; NaN where a resample has no object of a class.
    """
    if counts is None:
        counts = np.ones((1, len(matches.stems)), np.int64)
    precision = _precision(matches, counts, threshold)
    area: NDArray[np.float64] = np.asarray(np.trapezoid(precision, RECALLS))
    return area


def precision_recall(matches: Matches, threshold: int = 0) -> NDArray[np.float64]:
    """Interpolated precision at each of `RECALLS`: C×101, NaN for a class without objects."""
    curve: NDArray[np.float64] = _precision(
        matches, np.ones((1, len(matches.stems)), np.int64), threshold
    )[0]
    return curve


def _precision(matches: Matches, counts: NDArray[np.int64], threshold: int) -> NDArray[np.float64]:
    """R×C×101; see `average_precision`."""
    classes = matches.truth.shape[1]
    order = np.argsort(-matches.confidence, kind="stable")
    precision = np.full((len(counts), classes, len(RECALLS)), np.nan)
    objects = counts @ matches.truth
    for index in range(classes):
        chosen = order[matches.label[order] == index]
        correct = matches.correct[chosen, threshold]
        for row in np.flatnonzero(objects[:, index]):
            times = counts[row, matches.image[chosen]]
            precision[row, index] = _envelope(times, correct, objects[row, index])
    return precision


def _envelope(
    times: NDArray[np.int64], correct: NDArray[np.bool_], objects: int
) -> NDArray[np.float64]:
    """The highest precision from each of `RECALLS` on.

    Args:
        times: how often each detection occurs, most confident first.
        correct: whether it is correct.
        objects: number of objects in the truth.
    """
    if not times.any():
        return np.zeros(len(RECALLS))
    found, made = np.cumsum(times * correct), np.cumsum(times)
    recall, precision = found / objects, found / np.maximum(made, 1)
    recall = np.concatenate([[0.0], recall, [recall[-1], 1.0]])
    precision = np.concatenate([[1.0], precision, [0.0, 0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return np.interp(RECALLS, recall, envelope)
