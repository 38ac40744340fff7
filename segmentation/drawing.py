"""Side-by-side pictures of test images: visible, infrared, fused, truth, prediction."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusion.images.decode import read_infrared, read_visible, to_rgb, write_image
from fusion.images.panels import side_by_side
from segmentation.data import LabeledImages
from segmentation.labels import colorize

_TITLES = ("visible", "infrared", "fused", "truth", "prediction")


def draw(
    dataset: Path, data: LabeledImages, predicted: Mapping[str, NDArray[np.uint8]], folder: Path
) -> None:
    """Write `folder/<stem>.png` for each image of `data`: five panels with captions.

    Args:
        dataset: the prepared data set, with `test/{vi,ir}/<stem>.png`.
        data: fused test images and their labels; of stacked images the visible channels are shown.
        predicted: class indices, H×W by stem.
        folder: created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stem, fused, truth in zip(data.stems, data.images, data.labels, strict=True):
        panels = (
            to_rgb(read_visible(dataset / "test" / "vi" / f"{stem}.png").pixels),
            to_rgb(read_infrared(dataset / "test" / "ir" / f"{stem}.png").pixels),
            np.ascontiguousarray(fused[:3].movedim(0, -1).numpy()),
            colorize(truth.numpy(), data.classes),
            colorize(predicted[stem], data.classes),
        )
        row = side_by_side(dict(zip(_TITLES, panels, strict=True)))
        write_image(folder / f"{stem}.png", row)
