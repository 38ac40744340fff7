"""What a data set holds, before anything is trained: its pairs, and counts of its classes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from detection.boxes import Annotation
from fusion.core.errors import InputError
from fusion.core.progress import progress_bar
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.convert import Converter
from pipelines.datasets.layout import Item, find_source
from pipelines.datasets.problems import Problems
from pipelines.datasets.sheet import contact_sheet, varied
from segmentation.classes import IGNORE


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
        labeled, unlabeled: pixels of label images with and without a label.
    """

    splits: dict[str, int]
    night: int | None
    classes: Sequence[str] | None
    unit: str = "objects"
    images: Counter[str] = field(default_factory=Counter)
    amounts: Counter[str] = field(default_factory=Counter)
    empty: int = 0
    labeled: int = 0
    unlabeled: int = 0

    def add(self, counts: "LabelCounts") -> None:
        """Add the counts of a pair's label."""
        self.empty += counts.is_empty
        self.amounts.update(counts.amounts)
        self.images.update(list(counts.amounts))
        self.labeled += counts.labeled
        self.unlabeled += counts.unlabeled

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
            unlabeled = self.unlabeled / (self.labeled + self.unlabeled)
            lines.append(f"  unlabeled: {unlabeled:.2%} of all pixels")
        return "\n".join(lines)


@dataclass(frozen=True)
class LabelCounts:
    """Counts of one pair's label.

    Attributes:
        amounts: objects or pixels of each class that is there.
        present: the classes that are there, background apart.
        is_empty: whether there is a label, but no class other than background.
        labeled, unlabeled: pixels of a label image with and without a label.
    """

    amounts: Counter[str] = field(default_factory=Counter)
    present: frozenset[str] = frozenset()
    is_empty: bool = False
    labeled: int = 0
    unlabeled: int = 0


def count_label(
    label: Annotation | NDArray[np.uint8] | None, classes: Sequence[str]
) -> LabelCounts:
    """Count the objects or pixels of every class in a label."""
    if label is None:
        return LabelCounts()
    if isinstance(label, Annotation):
        objects = Counter(classes[index] for index in label.labels)
        return LabelCounts(objects, frozenset(objects), not objects)
    pixels = np.bincount(label[label != IGNORE].ravel(), minlength=len(classes))
    amounts = Counter({n: int(k) for n, k in zip(classes, pixels, strict=True) if k})
    present, labeled = frozenset(amounts) - {classes[0]}, int(pixels.sum())
    return LabelCounts(amounts, present, not present, labeled, label.size - labeled)


def overview(config: DatasetConfig, pictures: int = 12) -> tuple[Overview, NDArray[np.uint8]]:
    """Read a whole data set, count its classes, and draw pairs of it with their labels.

    Args:
        config: its folder and layout.
        pictures: number of pairs on the contact sheet; `varied` chooses them.

    Returns:
        The counts, and the contact sheet of `contact_sheet`.

    Raises:
        InputError: files cannot be used; the message lists up to twenty problems.
    """
    problems = Problems()
    source = find_source(config, problems)
    problems.raise_any(config.source)
    if not source.items:
        raise InputError(config.source, "has no pairs", "check `source` and `layout`")
    converter = Converter(source, config.infrared_range, False, frozenset(), Path())
    found = Overview(
        {split: len(names) for split, names in source.splits.items()},
        None if source.night is None else len(source.night),
        source.classes,
        "pixels" if source.label_classes else "objects",
    )
    items = sorted(source.items, key=_key)
    classes: list[frozenset[str]] = []
    for counts in _counted(converter, items):
        if isinstance(counts, InputError):
            problems.found.append(counts)
        else:
            found.add(counts)
            classes.append(counts.present)
    problems.raise_any(config.source)
    shown = [items[place] for place in varied(classes, pictures)]
    return found, contact_sheet(source, ((item, converter.read(item)) for item in shown))


def _counted(converter: Converter, items: Sequence[Item]) -> Iterator[LabelCounts | InputError]:
    """The counts of each pair, or the problem with its files, with a bar on a terminal."""
    console = Console(stderr=True)
    shown = progress_bar("checking pairs", console=console, disable=not console.is_terminal)
    with ThreadPoolExecutor() as pool, shown:
        results = pool.map(partial(_read_counts, converter), items)
        try:
            yield from shown.track(results, total=len(items))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _read_counts(converter: Converter, item: Item) -> LabelCounts | InputError:
    """Only the counts: the pictures of a whole set do not fit in memory."""
    try:
        decoded = converter.read(item)
    except InputError as problem:
        return problem
    return count_label(decoded.label, converter.source.classes or ())


def _key(item: Item) -> tuple[str, str]:
    return item.pair.name, item.split
