"""The images of one data set that the page shows, with what is drawn over them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detection.boxes import Annotation, read_annotation
from detection.matches import Matches
from fusion.images.decode import image_size
from fusion.images.pairs import Pair
from fusion.metrics.names import LOWER_IS_BETTER
from pipelines.report.page import overlays
from pipelines.report.page.images import ImageStore
from segmentation.classes import MSRS, LabelClasses
from segmentation.labels import read_label

Labels = Callable[[str, str], NDArray[np.uint8] | None]


@dataclass(frozen=True)
class Boxes:
    """What detectors found on the test images.

    classes: names in the order of the labels.
    annotations: stem -> file of the truth.
    matches: method -> its detections.
    run: which of several training runs they are from, as a sentence.
    """

    classes: Sequence[str]
    annotations: Mapping[str, Path]
    matches: Mapping[str, Matches]
    run: str = ""


@dataclass(frozen=True)
class LabelMaps:
    """What segmentation networks predicted on the test images.

    truth: stem -> file of the truth.
    predicted: method -> stem -> class indices H×W.
    classes: the classes of both.
    run: which of several training runs they are from, as a sentence.
    """

    truth: Mapping[str, Path]
    predicted: Mapping[str, Any]
    classes: LabelClasses = MSRS
    run: str = ""


@dataclass(frozen=True)
class Source:
    """One data set's test images and what was measured on them.

    Attributes:
        name: of the data set.
        pairs: the test pairs.
        fused: method -> folder of its fused images, `<stem>.<suffix>` by stem.
        values: method -> a row an image, a column a metric, and `name`.
        night: stems of the images taken at night.
        boxes, labels: of the tasks, where they were run.
        infrared_range: values of infrared of more than 8 bits that are black and white.
    """

    name: str
    pairs: Sequence[Pair]
    fused: Mapping[str, Mapping[str, Path]]
    values: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    night: Sequence[str] = ()
    boxes: Boxes | None = None
    labels: LabelMaps | None = None
    infrared_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Gallery:
    """A data set in the browser of images.

    Attributes:
        name: of the data set.
        shown, total: numbers of images.
        first: stem, infrared, visible and fused identifiers of some images, for readers without
            JavaScript.
        data: everything that the script reads, ready for JSON.
    """

    name: str
    shown: int
    total: int
    first: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    data: dict[str, Any]


STATIC = 2
"""Images of a data set in the page without JavaScript."""


def choose(pairs: Sequence[Pair], count: int | None, seed: int = 0) -> list[Pair]:
    """At most `count` pairs drawn at random, in their order; all for None."""
    if count is None or count >= len(pairs):
        return list(pairs)
    picked = set(random.Random(seed).sample(range(len(pairs)), count))  # noqa: S311
    return [pair for index, pair in enumerate(pairs) if index in picked]


def build_gallery(source: Source, store: ImageStore, count: int | None) -> Gallery:
    """Write the images of a data set and describe them.

    Args:
        source: the data set.
        store: takes the images.
        count: how many images are shown at most; None for all.

    Raises:
        InputError: an image or a label is missing or damaged.
    """
    pairs = choose(source.pairs, count)
    rows = list(source.fused)
    files = [path for pair in pairs for path in _files(source, pair)]
    known = store.add_all((pair.infrared for pair in pairs), source.infrared_range)
    known |= store.add_all(files)
    scenes = [_scene(source, pair, known, store) for pair in pairs]
    metrics = _metrics(source, [pair.name for pair in pairs])
    data = {
        "name": source.name,
        "rows": rows,
        "scenes": scenes,
        "metrics": metrics,
        "lower": sorted(LOWER_IS_BETTER & metrics.keys()),
        "classes": list(source.boxes.classes) if source.boxes else [],
        "labels": overlays.label_legend(source.labels.classes) if source.labels else [],
        "runs": {
            "found": source.boxes.run if source.boxes else "",
            "labels": source.labels.run if source.labels else "",
        },
    }
    first = [(pair.name, _named(source, pair, known)) for pair in pairs[:STATIC]]
    return Gallery(source.name, len(pairs), len(source.pairs), first, data)


def _files(source: Source, pair: Pair) -> list[Path]:
    fused = [images[pair.name] for images in source.fused.values() if pair.name in images]
    return [pair.visible, *fused]


def _named(source: Source, pair: Pair, known: Mapping[Path, str]) -> list[tuple[str, str]]:
    fused = [
        (method, known[images[pair.name]])
        for method, images in source.fused.items()
        if pair.name in images
    ]
    return [("infrared", known[pair.infrared]), ("visible", known[pair.visible]), *fused]


def _scene(
    source: Source, pair: Pair, known: Mapping[Path, str], store: ImageStore
) -> dict[str, Any]:
    """Short keys: there are thousands of these."""
    height, width = image_size(pair.visible)
    fused = [known.get(images.get(pair.name, Path())) for images in source.fused.values()]
    scene: dict[str, Any] = {
        "n": pair.name,
        "w": width,
        "h": height,
        "i": [known[pair.infrared], known[pair.visible], *fused],
    }
    if pair.name in source.night:
        scene["night"] = True
    if source.boxes:
        scene["b"] = _boxes(source.boxes, pair.name, (width, height), list(source.fused))
    if source.labels:
        scene["l"] = _labels(source.labels, pair.name, list(source.fused), store)
    return scene


def _boxes(
    boxes: Boxes, stem: str, size: tuple[int, int], methods: Sequence[str]
) -> dict[str, Any]:
    truth: Annotation = read_annotation(boxes.annotations[stem], boxes.classes, size)
    rows: list[dict[str, Any] | None] = []
    for method in methods:
        if method not in boxes.matches:
            rows.append(None)
            continue
        found = overlays.detected(boxes.matches[method], stem)
        missed = overlays.missed(truth.boxes, truth.labels, found)
        rows.append({"d": [_short(box) for box in found], "m": missed})
    return {"t": [_short(box) for box in overlays.objects(truth.boxes, truth.labels)], "r": rows}


def _short(box: overlays.Box) -> list[int]:
    return [*box[:-1], int(box.good)]


def _labels(
    labels: LabelMaps, stem: str, methods: Sequence[str], store: ImageStore
) -> dict[str, Any]:
    truth = read_label(labels.truth[stem], labels.classes)
    rows: list[list[str] | None] = []
    for method in methods:
        if method not in labels.predicted:
            rows.append(None)
            continue
        predicted = labels.predicted[method][stem]
        errors = overlays.paint_errors(truth, predicted)
        rows.append(
            [store.add_label(overlays.paint(predicted, labels.classes)), store.add_label(errors)]
        )
    return {"t": store.add_label(overlays.paint(truth, labels.classes)), "r": rows}


def _metrics(source: Source, stems: Sequence[str]) -> dict[str, list[list[float | None]]]:
    """Metric -> row -> one value an image, rounded to four digits."""
    found: dict[str, list[list[float | None]]] = {}
    for position, method in enumerate(source.fused):
        if method not in source.values:
            continue
        table = source.values[method].set_index("name").reindex(list(stems))
        for name in table.columns.drop("range", errors="ignore"):
            rows = found.setdefault(str(name), [[] for _ in source.fused])
            rows[position] = [_rounded(value) for value in table[name].tolist()]
    return found


def _rounded(value: float) -> float | None:
    return None if value != value else float(f"{value:.4g}")
