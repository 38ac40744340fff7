"""One pair of a source: read once, checked, and written in the prepared layout."""

import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detection.boxes import Annotation, read_annotation, write_yolo
from fusion.alignment.shift import Agreement, measure_agreement
from fusion.core.errors import InputError
from fusion.images.decode import (
    ONE_IMAGE,
    ImageRead,
    encode_png,
    is_one_image,
    read_four_channels,
    read_infrared,
    read_visible,
    to_gray,
)
from fusion.images.pairs import Pair
from pipelines.datasets.duplicates import describe_pair
from pipelines.datasets.labels import BOXES
from pipelines.datasets.layout import Item, Source
from segmentation.classes import IGNORE, MSRS
from segmentation.labels import read_noted_label

BOX_NOTES = _CLIPPED, _DROPPED, NEGATIVE = (
    "boxes clipped to the image",
    "boxes without area dropped",
    "images without objects",
)
_WITHOUT_FILE = "images without objects: no label file"
LIKE_CORNERS = (
    "every box is wider than its x and higher than its y: are they two corners, not `x y w h`?"
)
GRAY_VISIBLE = "visible: gray"
UNLABELED = "labels with unlabeled pixels"


@dataclass(frozen=True)
class Converted:
    """Facts about a pair after it is written.

    item: the pair and its split.
    notes: findings and conversions.
    digest: digest of the pixels of both images.
    features: result of `describe_pair`; None if not needed.
    agreement: result of `measure_agreement`; None if not needed.
    """

    item: Item
    notes: Counter[str]
    digest: bytes
    features: NDArray[np.float32] | None
    agreement: Agreement | None

    @property
    def name(self) -> str:
        """The pair's name."""
        return self.item.pair.name


@dataclass(frozen=True)
class Decoded:
    """A pair and its label as they are in memory."""

    infrared: ImageRead
    visible: ImageRead
    label: Annotation | NDArray[np.uint8] | None
    label_notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Converter:
    """Reads pairs of a source and writes them below a folder.

    source: source of the pairs.
    infrared_range: declared range of `read_infrared`.
    described: whether to compute features of each pair.
    measured: the pairs whose alignment is measured.
    work: receives `<split>/{ir,vi,labels}/<name>.{png,txt}`; the folders exist.
    """

    source: Source
    infrared_range: tuple[float, float] | None
    described: bool
    measured: frozenset[Pair]
    work: Path

    def __call__(self, item: Item) -> Converted | InputError:
        """Convert one pair; problems with its files are returned, so that all can be reported.

        Raises:
            OSError: a file cannot be written.
        """
        try:
            decoded = self.read(item)
        except InputError as problem:
            return problem
        self._write(item, decoded)
        infrared, visible = decoded.infrared.pixels, decoded.visible.pixels
        return Converted(
            item,
            self._notes(item, decoded),
            _digest(infrared, visible),
            describe_pair(infrared, visible) if self.described else None,
            measure_agreement(infrared, to_gray(visible)) if item.pair in self.measured else None,
        )

    def read(self, item: Item) -> Decoded:
        """Decode one pair and its label.

        Raises:
            InputError: a file cannot be used, or the three differ in size.
        """
        if item.pair.infrared == item.pair.visible:
            infrared, visible = read_four_channels(item.pair.infrared)
        else:
            infrared = read_infrared(item.pair.infrared, self.infrared_range)
            visible = read_visible(item.pair.visible)
        height, width = visible.pixels.shape[:2]
        if infrared.pixels.shape != (height, width):
            rows, columns = infrared.pixels.shape
            raise InputError(
                item.pair.infrared,
                f"is {columns}x{rows} but {item.pair.visible} is {width}x{height}",
                "pairs must be aligned pixel by pixel: see `pomai align`",
            )
        return Decoded(infrared, visible, *self._label(item, height, width))

    def _label(
        self, item: Item, height: int, width: int
    ) -> tuple[Annotation | NDArray[np.uint8] | None, tuple[str, ...]]:
        """The label, and notes on its file."""
        if item.label is None:
            return Annotation([], np.zeros((0, 4))) if self.source.classes else None, ()
        if item.label.suffix.lower() in BOXES:
            return self._boxes(item.label, (width, height)), ()
        label, notes = read_noted_label(item.label, self.source.label_classes or MSRS)
        if label.shape != (height, width):
            raise InputError(
                item.label,
                f"is {label.shape[1]}x{label.shape[0]} but its image {width}x{height}",
                "a label has its image's size: replace it",
            )
        return label, notes

    def _boxes(self, path: Path, image_size: tuple[int, int]) -> Annotation:
        """The boxes of the classes that are used."""
        left_out = list(self.source.left_out)
        classes = [*(self.source.classes or ()), *left_out]
        numbered = [*self.source.numbered, *left_out] if self.source.numbered else None
        read = read_annotation(path, classes, image_size, numbered)
        kept = [index < len(classes) - len(left_out) for index in read.labels]
        labels = [index for index, keep in zip(read.labels, kept, strict=True) if keep]
        return replace(read, labels=labels, boxes=read.boxes[np.array(kept, bool)])

    def _notes(self, item: Item, decoded: Decoded) -> Counter[str]:
        notes = Counter(f"infrared: {note}" for note in decoded.infrared.notes)
        notes.update(f"visible: {note}" for note in decoded.visible.notes)
        notes.update(f"labels: {note}" for note in decoded.label_notes)
        notes[GRAY_VISIBLE] = int(decoded.visible.pixels.ndim == 2)
        notes[ONE_IMAGE] = int(is_one_image(decoded.infrared.pixels, decoded.visible.pixels))
        label = decoded.label
        if isinstance(label, Annotation):
            notes.update(boxes_of((self.source.classes or ())[index]) for index in label.labels)
            notes[_CLIPPED] = label.clipped
            notes[_DROPPED] = label.dropped
            notes[NEGATIVE] = int(not label.labels)
            notes[LIKE_CORNERS] = int(label.like_corners)
            notes[_WITHOUT_FILE] = int(item.label is None)
        elif label is not None:
            notes[NEGATIVE] = int(not label.any())
            notes[UNLABELED] = int((label == IGNORE).any())
        return +notes

    def _write(self, item: Item, decoded: Decoded) -> None:
        base, name = self.work / item.split, item.pair.name
        _write_image(base / "ir" / f"{name}.png", item.pair.infrared, decoded.infrared)
        _write_image(base / "vi" / f"{name}.png", item.pair.visible, decoded.visible)
        label = decoded.label
        if isinstance(label, Annotation):
            height, width = decoded.infrared.pixels.shape
            write_yolo(base / "labels" / f"{name}.txt", label, width, height)
        elif label is not None:
            content = encode_png(np.ascontiguousarray(label))
            (base / "labels" / f"{name}.png").write_bytes(content)


def boxes_of(name: str) -> str:
    """The note that counts the boxes of a class."""
    return f"boxes of {name}"


def _write_image(target: Path, source: Path, image: ImageRead) -> None:
    if image.stored:
        shutil.copyfile(source, target)
    else:
        target.write_bytes(encode_png(image.pixels))


def _digest(*images: NDArray[np.uint8]) -> bytes:
    digest = hashlib.sha256()
    for pixels in images:
        digest.update(repr(pixels.shape).encode())
        digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()
