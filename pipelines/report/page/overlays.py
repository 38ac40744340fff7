"""What is drawn over the images: boxes of truth and detections, colors of labels and errors."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection.matches import Matches
from segmentation.classes import IGNORE, MSRS, LabelClasses

SHOWN_CONFIDENCE = 0.25
"""Detections above it are drawn, as in the confusion matrix."""

IOU = 0.5

LABEL_COLORS: NDArray[np.uint8] = np.array(
    [
        (0, 0, 0),
        (86, 180, 233),
        (230, 159, 0),
        (0, 158, 115),
        (240, 228, 66),
        (213, 94, 0),
        (204, 121, 167),
        (122, 110, 255),
        (255, 255, 255),
    ],
    dtype=np.uint8,
)
"""RGB of each class of MSRS, after Okabe and Ito (2008): brighter than its palette, whose colors
vanish over night images."""

_ERROR = (255, 45, 85, 190)
_OPACITY = 165


class Box(NamedTuple):
    """A detection or an object, in whole pixels.

    confidence: in percent; of an object, 100.
    good: a detection that is a hit; an object that was found.
    """

    label: int
    x: int
    y: int
    width: int
    height: int
    confidence: int
    good: bool


def detected(matches: Matches, stem: str) -> list[Box]:
    """The detections on one image, most confident first; see `SHOWN_CONFIDENCE`."""
    if stem not in matches.stems:
        return []
    chosen = (matches.image == matches.stems.index(stem)) & (matches.confidence > SHOWN_CONFIDENCE)
    order = np.flatnonzero(chosen)[np.argsort(-matches.confidence[chosen], kind="stable")]
    return [
        _box(
            matches.boxes[index],
            int(matches.label[index]),
            round(100 * float(matches.confidence[index])),
            bool(matches.correct[index, 0]),
        )
        for index in order
    ]


def missed(boxes: NDArray[np.float64], labels: list[int], found: list[Box]) -> list[int]:
    """Indices of the objects without a hit: each hit takes the object that it overlaps most."""
    left = list(range(len(labels)))
    for hit in (box for box in found if box.good):
        same = [index for index in left if labels[index] == hit.label]
        overlaps = [_iou(boxes[index], hit) for index in same]
        if overlaps and max(overlaps) >= IOU * 0.9:  # boxes are rounded to pixels
            left.remove(same[int(np.argmax(overlaps))])
    return left


def objects(boxes: NDArray[np.float64], labels: list[int]) -> list[Box]:
    """The objects of the truth."""
    return [_box(box, label, 100, True) for box, label in zip(boxes, labels, strict=True)]


def paint(labels: NDArray[np.uint8], classes: LabelClasses) -> NDArray[np.uint8]:
    """Class indices H×W as an overlay RGBA H×W×4; background and unlabeled are transparent."""
    alpha = np.where((labels > 0) & (labels != IGNORE), _OPACITY, 0).astype(np.uint8)
    colors = _colors(classes)[np.where(labels == IGNORE, 0, labels)]
    painted: NDArray[np.uint8] = np.dstack([colors, alpha])
    return painted


def paint_errors(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels of another class than the truth, as an overlay RGBA H×W×4."""
    painted = np.zeros((*truth.shape, 4), np.uint8)
    painted[(truth != predicted) & (truth != IGNORE)] = _ERROR
    return painted


def label_legend(classes: LabelClasses) -> list[tuple[str, str]]:
    """Class and CSS color."""
    return [
        (name, "#" + bytes(color.tolist()).hex())
        for name, color in zip(classes.names[1:], _colors(classes)[1:], strict=True)
    ]


def _colors(classes: LabelClasses) -> NDArray[np.uint8]:
    if classes.names == MSRS.names:
        return LABEL_COLORS
    return np.array(classes.palette, np.uint8)


def _box(corners: NDArray[np.floating], label: int, confidence: int, good: bool) -> Box:
    left, top, right, bottom = (round(float(value)) for value in corners)
    return Box(label, left, top, max(1, right - left), max(1, bottom - top), confidence, good)


def _iou(corners: NDArray[np.float64], box: Box) -> float:
    left, top, right, bottom = (float(value) for value in corners)
    width = min(right, box.x + box.width) - max(left, box.x)
    height = min(bottom, box.y + box.height) - max(top, box.y)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((right - left) * (bottom - top) + box.width * box.height - common)
