"""Side-by-side pictures of test images: visible, infrared, truth and detections on the fused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.boxes import read_annotation
from fusion.images.decode import read_infrared, read_visible, to_rgb, write_image

_GAP, _CAPTION = 4, 18
_TITLES = ("visible", "infrared", "truth", "detections")
_COLORS = (  # Okabe and Ito (2008), told apart by colour-blind readers too; they repeat
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
)


@dataclass(frozen=True)
class Detections:
    """What a detector found on one image.

    Attributes:
        labels: class indices.
        boxes: N×4 float64, xmin, ymin, xmax, ymax in pixels.
        confidences: 0 to 1.
    """

    labels: list[int]
    boxes: NDArray[np.float64]
    confidences: list[float]


def chosen(stems: Sequence[str], count: int) -> list[str]:
    """`count` stems spread evenly over the sorted ones: the same for every method."""
    ordered = sorted(stems)
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in places]


def draw(
    images: Path,
    dataset: Path,
    classes: Sequence[str],
    detections: Mapping[str, Detections],
    folder: Path,
) -> None:
    """Write `folder/<stem>.png` for each image of `detections`: four panels with captions.

    Args:
        images: fused test images, `<stem>.png`.
        dataset: the prepared test split, with `{vi,ir}/<stem>.png` and `labels/<stem>.txt`.
        classes: names of the classes.
        detections: by stem.
        folder: made where it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stem, found in detections.items():
        fused = to_rgb(read_visible(images / f"{stem}.png").pixels)
        size = (fused.shape[1], fused.shape[0])
        truth = read_annotation(dataset / "labels" / f"{stem}.txt", classes, size)
        sure = [f"{value:.2f}" for value in found.confidences]
        panels = (
            to_rgb(read_visible(dataset / "vi" / f"{stem}.png").pixels),
            to_rgb(read_infrared(dataset / "ir" / f"{stem}.png").pixels),
            _boxed(fused, truth.boxes, truth.labels, [classes[label] for label in truth.labels]),
            _boxed(fused, found.boxes, found.labels, sure),
        )
        pairs = zip(_TITLES, panels, strict=True)
        row = np.hstack([_captioned(title, panel) for title, panel in pairs])
        write_image(folder / f"{stem}.png", np.ascontiguousarray(row[:, _GAP:]))


def _boxed(
    image: NDArray[np.uint8], boxes: NDArray[np.float64], labels: list[int], texts: list[str]
) -> NDArray[np.uint8]:
    canvas = np.ascontiguousarray(image.copy())
    thickness = max(1, round(max(image.shape) / 500))
    for box, label, text in zip(boxes.round().astype(int).tolist(), labels, texts, strict=True):
        color = _COLORS[label % len(_COLORS)]
        cv2.rectangle(canvas, box[:2], box[2:], color, thickness)
        place = (box[0], max(8, box[1] - 2))
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.3 * thickness, color)
    return canvas


def _captioned(title: str, panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    framed = np.pad(panel, ((_CAPTION, 0), (_GAP, 0), (0, 0)), constant_values=255)
    cv2.putText(framed, title, (_GAP, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0))
    return framed
