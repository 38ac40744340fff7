"""Side-by-side pictures of test images: visible, infrared, truth and detections on the fused."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.boxes import read_annotation
from detection.matches import Detections
from fusion.images.decode import read_infrared, read_visible, to_rgb, write_image
from fusion.images.panels import side_by_side

_TITLES = ("visible", "infrared", "truth", "detections")
_COLORS = (  # Okabe and Ito (2008), told apart by color-blind readers too; they repeat
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
)


def draw(
    images: Path,
    dataset: Path,
    classes: Sequence[str],
    detections: Mapping[str, Detections],
    folder: Path,
) -> None:
    """Write `folder/<stem>.png` for each image of `detections`: four panels with captions.

    Args:
        images: fused test images, `<stem>.png`; of stacked ones the visible channels are shown.
        dataset: the prepared test split, with `{vi,ir}/<stem>.png` and `labels/<stem>.txt`.
        classes: names of the classes.
        detections: detections by stem.
        folder: created if missing.
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
            boxed(fused, truth.boxes, truth.labels, [classes[label] for label in truth.labels]),
            boxed(fused, found.boxes, found.labels, sure),
        )
        row = side_by_side(dict(zip(_TITLES, panels, strict=True)))
        write_image(folder / f"{stem}.png", row)


def boxed(
    image: NDArray[np.uint8], boxes: NDArray[np.float64], labels: list[int], texts: list[str]
) -> NDArray[np.uint8]:
    """A copy of an RGB image with boxes (N×4, corners in pixels) in their classes' colors."""
    canvas = np.ascontiguousarray(image.copy())
    thickness = max(1, round(max(image.shape) / 500))
    for box, label, text in zip(boxes.round().astype(int).tolist(), labels, texts, strict=True):
        color = color_of(label)
        cv2.rectangle(canvas, box[:2], box[2:], color, thickness)
        place = (box[0], max(8, box[1] - 2))
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.3 * thickness, color)
    return canvas


def color_of(label: int) -> tuple[int, int, int]:
    """RGB color of a class in pictures with boxes; after six classes the colors repeat."""
    return _COLORS[label % len(_COLORS)]
