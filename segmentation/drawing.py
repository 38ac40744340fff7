"""Side-by-side pictures of test images: visible, infrared, fused, truth, prediction."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion.images.decode import read_infrared, read_visible, to_rgb, write_image
from segmentation.data import LabelledImages
from segmentation.labels import colourise

_GAP, _CAPTION = 4, 18
_TITLES = ("visible", "infrared", "fused", "truth", "prediction")


def chosen(count: int, total: int) -> list[int]:
    """Indices of `count` images spread evenly over `total`: the same for every method."""
    return sorted({int(index) for index in np.linspace(0, total - 1, min(count, total)).round()})


def draw(
    dataset: Path, data: LabelledImages, predicted: Mapping[str, NDArray[np.uint8]], folder: Path
) -> None:
    """Write `folder/<stem>.png` for each image of `data`: five panels with captions.

    Args:
        dataset: the prepared data set, with `test/{vi,ir}/<stem>.png`.
        data: fused test images and their labels.
        predicted: class indices, H×W by stem.
        folder: made where it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stem, fused, truth in zip(data.stems, data.images, data.labels, strict=True):
        panels = (
            to_rgb(read_visible(dataset / "test" / "vi" / f"{stem}.png").pixels),
            to_rgb(read_infrared(dataset / "test" / "ir" / f"{stem}.png").pixels),
            fused.movedim(0, -1).numpy(),
            colourise(truth.numpy()),
            colourise(predicted[stem]),
        )
        pairs = zip(_TITLES, panels, strict=True)
        row = np.hstack([_captioned(title, panel) for title, panel in pairs])
        write_image(folder / f"{stem}.png", np.ascontiguousarray(row[:, _GAP:]))


def _captioned(title: str, panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    framed = np.pad(panel, ((_CAPTION, 0), (_GAP, 0), (0, 0)), constant_values=255)
    cv2.putText(
        framed, title, (_GAP, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA
    )
    return framed
