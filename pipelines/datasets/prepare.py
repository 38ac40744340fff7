"""Check a data set completely, then write it in the one layout that all later stages read."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from detection.m3fd import Annotation, read_annotation, write_yolo
from detection.splits import split_checksum
from fusion.images import (
    InputError,
    Pair,
    check_same_size,
    image_size,
    read_infrared,
    read_visible,
    write_image,
)
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.layout import Source, find_source
from segmentation.msrs import read_label

MOST_PROBLEMS = 20


@dataclass
class Report:
    """What was found: pairs by split, and how often each thing had to be done or was seen."""

    name: str
    splits: dict[str, int]
    notes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        pairs = ", ".join(f"{count} {split}" for split, count in self.splits.items())
        notes = "".join(f"\n  {note}: {count}" for note, count in sorted(self.notes.items()))
        return f"{self.name}: {pairs} pairs{notes}"


def prepare(name: str, config: DatasetConfig, output: Path, train_output: Path) -> Report:
    """Read, check and write a data set.

    Everything is read and checked before anything is written; all problems are reported together.

    Args:
        name: of the data set.
        config: where it lies and in which layout.
        output: gets `<split>/{ir,vi,labels}` and `dataset.json`.
        train_output: gets `{ir,vi}` of the train split if fusion networks learn from it; else it
            is left empty.

    Raises:
        InputError: something cannot be used; the message lists up to twenty problems.
    """
    source = find_source(config)
    report = Report(name, {split: len(pairs) for split, pairs in source.splits.items()})
    items = [(split, pair) for split, pairs in source.splits.items() for pair in pairs]
    with ThreadPoolExecutor() as pool:
        checks = pool.map(lambda item: _check(config, source, *item), items)
        _collect(items, checks, report)
        work = output.with_name(f".{output.name}.writing")
        shutil.rmtree(work, ignore_errors=True)
        for split in source.splits:
            for kind in ("ir", "vi", *(["labels"] if source.labels else [])):
                (work / split / kind).mkdir(parents=True)
        for _ in pool.map(lambda item: _write(config, source, work, *item), items):
            pass
    _describe(work, name, config, source, report)
    shutil.rmtree(output, ignore_errors=True)
    work.rename(output)
    _link_training_pairs(output, train_output, config, source)
    return report


def _collect(
    items: list[tuple[str, Pair]], checks: Iterable["Counter[str] | InputError"], report: Report
) -> None:
    problems = []
    for _, result in zip(items, checks, strict=True):
        if isinstance(result, InputError):
            problems.append(str(result))
        else:
            report.notes += result
    if problems:
        shown = "\n  ".join(problems[:MOST_PROBLEMS])
        more = f"\n  … and {len(problems) - MOST_PROBLEMS} more" * (len(problems) > MOST_PROBLEMS)
        raise InputError(report.name, f"{len(problems)} problems:\n  {shown}{more}", "correct them")


def _check(
    config: DatasetConfig, source: Source, split: str, pair: Pair
) -> "Counter[str] | InputError":
    """Decode everything of one pair; what is wrong is returned, so that all problems are seen."""
    try:
        check_same_size(pair)
        notes = Counter(read_infrared(pair.infrared, config.infrared_range).notes)
        notes.update(read_visible(pair.visible).notes)
        if label := source.labels.get((split, pair.name)):
            notes.update(_check_label(source, label, pair))
    except InputError as problem:
        return problem
    return notes


def _check_label(source: Source, label: Path, pair: Pair) -> dict[str, int]:
    height, width = image_size(pair.visible)
    if label.suffix.lower() in {".xml", ".txt"}:
        boxes = _boxes(source, label, (width, height))
        found = Counter(f"boxes of {(source.classes or ())[index]}" for index in boxes.labels)
        found["boxes clipped to the image"] = boxes.clipped
        found["boxes without area dropped"] = boxes.dropped
        found["images without objects"] = int(not boxes.labels)
        return +found
    shape = read_label(label).shape
    if shape != (height, width):
        raise InputError(
            label, f"is {shape[1]}x{shape[0]} but its image {width}x{height}", "replace it"
        )
    return {}


def _boxes(source: Source, label: Path, size: tuple[int, int]) -> Annotation:
    return read_annotation(label, source.classes or (), size)


def _write(config: DatasetConfig, source: Source, work: Path, split: str, pair: Pair) -> None:
    base = work / split
    infrared = read_infrared(pair.infrared, config.infrared_range).pixels
    write_image(base / "ir" / f"{pair.name}.png", infrared)
    write_image(base / "vi" / f"{pair.name}.png", read_visible(pair.visible).pixels)
    label = source.labels.get((split, pair.name))
    if label is None:
        return
    if label.suffix.lower() in {".xml", ".txt"}:
        height, width = infrared.shape
        annotation = _boxes(source, label, (width, height))
        write_yolo(base / "labels" / f"{pair.name}.txt", annotation, width, height)
    else:
        write_image(base / "labels" / f"{pair.name}.png", np.ascontiguousarray(read_label(label)))


def _describe(work: Path, name: str, config: DatasetConfig, source: Source, report: Report) -> None:
    names = {split: [pair.name for pair in pairs] for split, pairs in source.splits.items()}
    facts: dict[str, Any] = {
        "name": name,
        "layout": config.layout,
        "classes": list(source.classes) if source.classes else None,
        "splits": names,
        "split_protocol": source.protocol,
        "checksum": split_checksum(names),
        "notes": dict(sorted(report.notes.items())),
    }
    (work / "dataset.json").write_text(json.dumps(facts, indent=1) + "\n")


def _link_training_pairs(
    output: Path, train_output: Path, config: DatasetConfig, source: Source
) -> None:
    shutil.rmtree(train_output, ignore_errors=True)
    train_output.mkdir(parents=True)
    if not config.train_fusion:
        return
    if "train" not in source.splits:
        raise InputError(config.source, "has no train split", "set train_fusion to false")
    for kind in ("ir", "vi"):
        shutil.copytree(output / "train" / kind, train_output / kind, copy_function=shutil.copyfile)
