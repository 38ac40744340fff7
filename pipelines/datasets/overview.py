"""What a data set holds, before anything is trained: counts of its classes, and a contact sheet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.boxes import Annotation
from detection.drawing import boxed
from fusion.core.errors import InputError
from fusion.images.decode import to_rgb
from fusion.images.panels import side_by_side, spread
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.convert import Converter, Decoded
from pipelines.datasets.layout import Item, Source, find_source
from pipelines.datasets.problems import Problems
from segmentation.classes import IGNORE, MSRS
from segmentation.labels import colorize

_WIDTH = 320
"""Pixels of a panel."""


@dataclass
class Overview:
    """Counts of a data set.

    Attributes:
        splits: number of pairs by split.
        night: number of pairs taken at night; None if unknown.
        classes: names in the order of the labels' indices; None without labels.
        unit: what `amounts` counts: "objects" or "pixels".
        images: number of images with each class.
        amounts: objects or pixels of each class.
        empty: number of images without objects, or with nothing but background.
        unlabeled: share of pixels without a label; None for boxes.
    """

    splits: dict[str, int]
    night: int | None
    classes: Sequence[str] | None
    unit: str = "objects"
    images: Counter[str] = field(default_factory=Counter)
    amounts: Counter[str] = field(default_factory=Counter)
    empty: int = 0
    unlabeled: float | None = None

    def __str__(self) -> str:
        pairs = ", ".join(f"{count} {split}" for split, count in self.splits.items())
        night = "day and night unknown" if self.night is None else f"{self.night} at night"
        lines = [f"{pairs} pairs, {night}"]
        total = max(1, sum(self.amounts.values()))
        for index, name in enumerate(self.classes or ()):
            amount = self.amounts[name]
            share = "" if self.unit == "objects" else f" ({amount / total:.2%})"
            lines.append(
                f"  {index} {name}: {amount} {self.unit}{share}, {self.images[name]} images"
            )
        if self.classes:
            without = "no objects" if self.unit == "objects" else "background only"
            lines.append(f"  {without}: {self.empty} images")
        if self.unlabeled:
            lines.append(f"  unlabeled: {self.unlabeled:.2%} of all pixels")
        return "\n".join(lines)


def overview(config: DatasetConfig, pictures: int = 12) -> tuple[Overview, NDArray[np.uint8]]:
    """Read a whole data set, count its classes, and draw pairs of it with their labels.

    Args:
        config: its folder and layout.
        pictures: number of pairs on the contact sheet, spread evenly over the sorted names.

    Returns:
        The counts, and the contact sheet: RGB, one row a pair, with the visible image, the infrared
        image, and the labels over the visible image.

    Raises:
        InputError: files cannot be used; the message lists up to twenty problems.
    """
    problems = Problems()
    source = find_source(config, problems)
    problems.raise_any(config.source)
    converter = Converter(source, config.infrared_range, False, frozenset(), Path())
    found = Overview(
        {split: len(names) for split, names in source.splits.items()},
        None if source.night is None else len(source.night),
        source.classes,
        "pixels" if source.label_classes else "objects",
    )
    rows, shown = [], set(map(_key, spread(sorted(source.items, key=_key), pictures)))
    ignored = total = 0
    for item in sorted(source.items, key=_key):
        with problems.collected():
            decoded = converter.read(item)
            _count(found, decoded)
            if isinstance(decoded.label, np.ndarray):
                ignored += int((decoded.label == IGNORE).sum())
                total += decoded.label.size
            if _key(item) in shown:
                rows.append(_row(item, decoded, source))
    problems.raise_any(config.source)
    found.unlabeled = ignored / total if total else None
    if not rows:
        raise InputError(config.source, "has no pairs", "check `source` and `layout`")
    return found, _stacked(rows)


def _key(item: Item) -> tuple[str, str]:
    return item.pair.name, item.split


def _count(found: Overview, decoded: Decoded) -> None:
    label, classes = decoded.label, found.classes or ()
    if label is None:
        return
    if isinstance(label, Annotation):
        present = Counter(classes[index] for index in label.labels)
        found.empty += not present
    else:
        pixels = np.bincount(label[label != IGNORE].ravel(), minlength=len(classes))
        present = Counter({name: int(n) for name, n in zip(classes, pixels, strict=True) if n})
        found.empty += not pixels[1:].any()
    found.amounts.update(present)
    found.images.update(list(present))


def _row(item: Item, decoded: Decoded, source: Source) -> NDArray[np.uint8]:
    visible, infrared = to_rgb(decoded.visible.pixels), to_rgb(decoded.infrared.pixels)
    panels = {f"{item.split}/{item.pair.name}": visible, "infrared": infrared}
    label = decoded.label
    if isinstance(label, Annotation):
        names = [(source.classes or ())[index] for index in label.labels]
        panels["boxes"] = boxed(visible, label.boxes, label.labels, names)
    elif label is not None:
        painted = colorize(label, source.label_classes or MSRS)
        mixed = cv2.addWeighted(visible, 0.4, painted, 0.6, 0)
        panels["labels"] = np.where((label == 0)[..., None], visible, mixed).astype(np.uint8)
    return side_by_side({title: _scaled(panel) for title, panel in panels.items()})


def _scaled(panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = max(1, round(panel.shape[0] * _WIDTH / panel.shape[1]))
    return np.asarray(cv2.resize(panel, (_WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)


def _stacked(rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Rows below each other on white; all of one width unless sets mix pairs of several."""
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.vstack(padded)
