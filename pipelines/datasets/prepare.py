"""Check a data set completely, then write it in the one layout that all later stages read."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from detection.boxes import Annotation, read_annotation, write_yolo
from fusion.core.errors import InputError
from fusion.core.files import write_bytes
from fusion.images.decode import ImageRead, read_infrared, read_visible, write_image
from fusion.images.pairs import Pair
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.layout import BOXES, Item, Source, find_source
from pipelines.datasets.problems import Problems
from pipelines.datasets.splits import SPLITS, split_checksum
from segmentation.labels import read_label

_BOX_NOTES = _CLIPPED, _DROPPED, _NEGATIVE = (
    "boxes clipped to the image",
    "boxes without area dropped",
    "images without objects",
)
_WITHOUT_FILE = "images without objects: no label file"


@dataclass
class Report:
    """What was found in a data set.

    splits: pairs by split.
    night: pairs taken at night; None where that is not known.
    notes: how often each thing was seen or had to be done.
    asked: notes that are shown also where nothing was found, before the others.
    """

    name: str
    splits: dict[str, int]
    night: int | None = None
    notes: Counter[str] = field(default_factory=Counter)
    asked: Sequence[str] = ()

    def __str__(self) -> str:
        pairs = ", ".join(f"{count} {split}" for split, count in self.splits.items())
        shown = dict.fromkeys([*self.asked, *sorted(self.notes)])
        notes = "".join(f"\n  {note}: {self.notes[note]}" for note in shown)
        night = "" if self.night is None else f", {self.night} at night"
        return f"{self.name}: {pairs} pairs{night}{notes}"


def prepare(
    name: str,
    config: DatasetConfig,
    output: Path,
    train_output: Path,
    *,
    train_fusion: bool = False,
) -> Report:
    """Read, check and write a data set.

    Every file is decoded and checked before anything is written, and all problems are reported
    together. What is written replaces an earlier version in one step.

    Args:
        name: of the data set.
        config: where it lies and in which layout.
        output: gets `<split>/{ir,vi,labels}` and `dataset.json`.
        train_output: gets `{ir,vi}` of the train split if `train_fusion`; else it is left empty.
        train_fusion: whether fusion networks learn from the data set.

    Raises:
        InputError: something cannot be used (up to twenty problems in words), or an output folder
            holds anything else than a prepared data set.
    """
    problems = Problems()
    with problems.collected():
        _require_own(output, {"dataset.json", *SPLITS})
    with problems.collected():
        _require_own(train_output, {"ir", "vi"})
    source = find_source(config, problems)
    if train_fusion and not problems.found and "train" not in source.splits:
        remedy = "add one, or do not train on it (train_on; --train-fusion)"
        raise InputError(config.source, "has no train split", remedy)
    report = Report(name, {split: len(names) for split, names in source.splits.items()})
    report.night = None if source.night is None else len(source.night)
    if config.layout in ("m3fd", "boxes"):
        report.asked = [*map(_boxes_of, source.classes or ()), *_BOX_NOTES]
    with ThreadPoolExecutor() as pool:
        checked = pool.map(lambda item: _check(config, source, item), source.items)
        for result in _shown(f"checking {name}", checked, len(source.items)):
            if isinstance(result, InputError):
                problems.found.append(result)
            else:
                report.notes += result
        problems.raise_any(name)
        with _replacing(output) as work, _replacing(train_output) as train:
            _make_folders(source, work, train if train_fusion else None)
            written = pool.map(lambda item: _write(config, source, work, item), source.items)
            for _ in _shown(f"writing {name}", written, len(source.items)):
                pass
            _describe(work, config, source, report)
            if train_fusion:
                for kind in ("ir", "vi"):
                    shutil.copytree(
                        work / "train" / kind,
                        train / kind,
                        copy_function=shutil.copyfile,
                        dirs_exist_ok=True,
                    )
    return report


def _check(config: DatasetConfig, source: Source, item: Item) -> Counter[str] | InputError:
    """Decode everything of one pair; a problem is returned, so that all are seen."""
    try:
        return _notes(config, source, item)
    except InputError as problem:
        return problem


def _notes(config: DatasetConfig, source: Source, item: Item) -> Counter[str]:
    infrared, visible = _read(config, item.pair)
    height, width = visible.pixels.shape[:2]
    if infrared.pixels.shape != (height, width):
        rows, columns = infrared.pixels.shape
        raise InputError(
            item.pair.infrared,
            f"is {columns}x{rows} but {item.pair.visible} is {width}x{height}",
            "pairs must be aligned pixel by pixel: register and crop them first",
        )
    notes = Counter(f"infrared: {note}" for note in infrared.notes)
    notes.update(f"visible: {note}" for note in visible.notes)
    notes["visible: grey"] = int(visible.pixels.ndim == 2)
    if item.label is not None:
        notes.update(_check_label(source, item.label, height, width))
    elif source.classes:
        notes.update((_NEGATIVE, _WITHOUT_FILE))
    return +notes


def _read(config: DatasetConfig, pair: Pair) -> tuple[ImageRead, ImageRead]:
    return read_infrared(pair.infrared, config.infrared_range), read_visible(pair.visible)


def _check_label(source: Source, label: Path, height: int, width: int) -> dict[str, int]:
    if label.suffix.lower() in BOXES:
        boxes = _read_boxes(source, label, width, height)
        found = Counter(_boxes_of((source.classes or ())[index]) for index in boxes.labels)
        found[_CLIPPED] = boxes.clipped
        found[_DROPPED] = boxes.dropped
        found[_NEGATIVE] = int(not boxes.labels)
        return found
    pixels = read_label(label)
    if pixels.shape != (height, width):
        raise InputError(
            label,
            f"is {pixels.shape[1]}x{pixels.shape[0]} but its image {width}x{height}",
            "a label has its image's size: replace it",
        )
    return {_NEGATIVE: int(not pixels.any())}


def _read_boxes(source: Source, label: Path, width: int, height: int) -> Annotation:
    return read_annotation(label, source.classes or (), (width, height), source.numbered)


def _boxes_of(name: str) -> str:
    return f"boxes of {name}"


def _make_folders(source: Source, work: Path, train: Path | None) -> None:
    kinds = ["ir", "vi", *(["labels"] if source.classes else [])]
    for folder in [work / split / kind for split in source.splits for kind in kinds]:
        folder.mkdir(parents=True)
    if train:
        for kind in ("ir", "vi"):
            (train / kind).mkdir(parents=True)


def _write(config: DatasetConfig, source: Source, work: Path, item: Item) -> None:
    base, pair = work / item.split, item.pair
    infrared, visible = _read(config, pair)
    for kind, path, image in (("ir", pair.infrared, infrared), ("vi", pair.visible, visible)):
        target = base / kind / f"{pair.name}.png"
        if image.stored:
            shutil.copyfile(path, target)
        else:
            write_image(target, image.pixels)
    if item.label is None:
        if source.classes:
            write_bytes(base / "labels" / f"{pair.name}.txt", b"")
        return
    if item.label.suffix.lower() in BOXES:
        height, width = infrared.pixels.shape
        annotation = _read_boxes(source, item.label, width, height)
        write_yolo(base / "labels" / f"{pair.name}.txt", annotation, width, height)
    else:
        label = np.ascontiguousarray(read_label(item.label))
        write_image(base / "labels" / f"{pair.name}.png", label)


def _describe(work: Path, config: DatasetConfig, source: Source, report: Report) -> None:
    facts: dict[str, Any] = {
        "name": report.name,
        "layout": config.layout,
        "classes": list(source.classes) if source.classes else None,
        "splits": source.splits,
        "split_protocol": source.protocol,
        "checksum": split_checksum(source.splits),
        "notes": dict(report.notes),
        "night": source.night,
    }
    (work / "dataset.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _require_own(folder: Path, known: set[str]) -> None:
    """Refuse to replace a folder that this project has not written."""
    if not folder.exists():
        return
    if not folder.is_dir() or {path.name for path in folder.iterdir()} - known:
        raise InputError(folder, "is in the way: it is not a prepared data set", "move it away")


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new empty folder that takes the place of `folder` once the block has ended well."""
    new, old = (folder.with_name(f".{folder.name}.{what}") for what in ("writing", "replaced"))
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _shown(what: str, results: Iterable[Any], total: int) -> Iterable[Any]:
    """The results, with a bar on a terminal: thousands of pairs take minutes."""
    console = Console(stderr=True)
    options: dict[str, Any] = {"console": console, "transient": True}
    return track(results, what, total, disable=not console.is_terminal, **options)
