"""Read a data set once, check it, and write it in the layout that all later stages read."""

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from fusion.alignment.shift import MOST, Shift, noted_shift
from fusion.core.errors import InputError, list_names
from fusion.core.names import require_name
from fusion.core.protocol import protocol_digest
from fusion.images.decode import COLORED_INFRARED
from fusion.images.panels import spread
from fusion.images.prepared import SPLITS, PreparedSet
from pipelines.datasets.config import BoxesConfig, DatasetConfig, MasksConfig, PublishedSplits
from pipelines.datasets.convert import (
    BOX_NOTES,
    GRAY_VISIBLE,
    LIKE_CORNERS,
    NEGATIVE,
    Converted,
    Converter,
    boxes_of,
)
from pipelines.datasets.duplicates import near_duplicates
from pipelines.datasets.layout import UNDECIDED, Source, draw, find_source
from pipelines.datasets.problems import Problems
from pipelines.datasets.replace import replacing, require_own

_BOXES = ("m3fd", "boxes")
_TELLING = 3
"""Images whose boxes all look like corners before it is more than chance (choice)."""
Result = TypeVar("Result")


@dataclass
class Report:
    """The result of preparing a data set.

    splits: number of pairs by split.
    night: number of pairs taken at night; None if unknown.
    notes: counts of findings and conversions.
    asked: notes that are shown first, even if their count is 0.
    shift: how far the two images of its pairs seem to be shifted; None if they are not.
    """

    name: str
    splits: dict[str, int]
    night: int | None = None
    notes: Counter[str] = field(default_factory=Counter)
    asked: Sequence[str] = ()
    shift: Shift | None = None

    def __str__(self) -> str:
        pairs = ", ".join(f"{count} {split}" for split, count in self.splits.items())
        shown = dict.fromkeys([*self.asked, *sorted(self.notes)])
        notes = "".join(f"\n  {note}: {self.notes[note]}" for note in shown)
        night = "" if self.night is None else f", {self.night} at night"
        shift = f"\n  {self.shift}" if self.shift else ""
        return f"{self.name}: {pairs} pairs{night}{notes}{shift}"


def prepare(
    name: str,
    config: DatasetConfig,
    output: Path,
    train_output: Path,
    *,
    train_fusion: bool = False,
) -> Report:
    """Read, check and write a data set.

    Every file is decoded once. All problems are reported together; if there are any, nothing is
    written. The result replaces an earlier version in one step.

    Args:
        name: name of the data set: letters, digits, `_` and `-`.
        config: its folder and layout.
        output: receives `<split>/{ir,vi,labels}` and `dataset.json`.
        train_output: receives `{ir,vi}` of the train split if `train_fusion`, else stays empty.
        train_fusion: whether fusion networks learn from the data set.

    Raises:
        InputError: files cannot be used (the message lists up to twenty problems), an output
            folder contains anything but a prepared data set, or it cannot be written.

    >>> from fusion.images.decode import write_image
    >>> from pipelines.datasets.config import PairsConfig
    >>> ramp = torch.arange(256, dtype=torch.uint8).view(16, 16).numpy()
    >>> for kind in ("ir", "vi"):
    ...     (folder / "raw" / kind).mkdir(parents=True)
    ...     write_image(folder / "raw" / kind / "1.png", ramp)
    >>> config = PairsConfig(layout="pairs", source=str(folder / "raw"), fuse=["test"])
    >>> prepare("street", config, folder / "prepared", folder / "train").splits
    {'test': 1}
    """
    require_name("data set", name)
    require_own(output, train_output)
    problems = Problems()
    source = find_source(config, problems)
    if train_fusion and not problems.found and not {"train", UNDECIDED} & source.splits.keys():
        remedy = "add one, or do not train on it (train_on; --train-fusion)"
        raise InputError(config.source, "has no train split", remedy)
    with replacing(output, train_output) as (work, train):
        pairs = _convert(name, config, source, work, problems)
        problems.raise_any(name)
        notes = sum((pair.notes for pair in pairs), source.notes)
        _require_modalities(config, notes, len(pairs))
        if notes[LIKE_CORNERS] < max(len(pairs) - notes[NEGATIVE], _TELLING):
            del notes[LIKE_CORNERS]  # chance
        if UNDECIDED in source.splits:
            _decide(config, source, pairs, work)
        notes.update(_repeats(config, source, pairs))
        prepared = _describe(name, config, source, notes)
        prepared.save(work)
        if train_fusion:
            _link_training_pairs(prepared.names("train"), work / "train", train)
    agreements = [pair.agreement for pair in pairs if pair.agreement]
    return _report(prepared, noted_shift(agreements))


def _convert(
    name: str, config: DatasetConfig, source: Source, work: Path, problems: Problems
) -> list[Converted]:
    """Write all valid pairs below `work`; the problems of the others go to `problems`."""
    _make_folders(source, source.splits, work)
    described = UNDECIDED in source.splits
    measured = frozenset(item.pair for item in spread(source.items, MOST))
    converter = Converter(source, config.infrared_range, described, measured, work)
    converted = []
    with ThreadPoolExecutor() as pool:
        results = pool.map(converter, source.items)
        try:
            for result in _shown(f"preparing {name}", results, len(source.items)):
                if isinstance(result, InputError):
                    problems.found.append(result)
                else:
                    converted.append(result)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return converted


def _make_folders(source: Source, splits: Iterable[str], work: Path) -> None:
    for split in splits:
        for kind in _kinds(source):
            (work / split / kind).mkdir(parents=True)


def _kinds(source: Source) -> list[str]:
    return ["ir", "vi", *(["labels"] if source.classes else [])]


def _require_modalities(config: DatasetConfig, notes: Mapping[str, int], count: int) -> None:
    """Reject infrared and visible folders that have been exchanged."""
    colored, gray = notes.get(f"infrared: {COLORED_INFRARED}", 0), notes.get(GRAY_VISIBLE, 0)
    if colored == gray == count:
        reason = "all infrared images are in color and all visible ones are gray"
        raise InputError(config.source, reason, "exchange the folders `infrared` and `visible`")


def _decide(config: DatasetConfig, source: Source, pairs: Sequence[Converted], work: Path) -> None:
    """Split by groups of near-duplicates, and move every pair to its split."""
    features = {pair.name: pair.features for pair in pairs if pair.features is not None}
    draw(source, config, near_duplicates(features))
    _make_folders(source, source.splits, work)
    split_of = {item.pair.name: item.split for item in source.items}
    for kind in _kinds(source):
        for path in sorted((work / UNDECIDED / kind).iterdir()):
            path.rename(work / split_of[path.stem] / kind / path.name)
    shutil.rmtree(work / UNDECIDED)


def _repeats(config: DatasetConfig, source: Source, pairs: Sequence[Converted]) -> dict[str, int]:
    """Notes on names and images that are in two splits.

    Raises:
        InputError: a pair is in two published splits. One that was drawn from another may hold
            copies of its pairs.
    """
    same_name, same_pixels = defaultdict(set), defaultdict(set)
    for item, pair in zip(source.items, pairs, strict=True):
        same_name[pair.name].add(item.split)
        same_pixels[pair.digest].add((item.split, pair.name))
    copies = [sorted(places) for places in same_pixels.values() if len(dict(places)) > 1]
    drawn = _drawn_splits(config)
    if leaks := [places for places in copies if not drawn.issuperset(dict(places))]:
        shown = [" and ".join(f"{split}/{name}" for split, name in places) for places in leaks]
        reason = f"has the same pair in two splits: {list_names(shown)}"
        raise InputError(config.source, reason, "remove it from one of them")
    remedy = ": choose split `grouped`" if drawn == set(SPLITS) else ""
    names = sum(len(splits) > 1 for splits in same_name.values())
    return {
        note: count
        for note, count in {
            "the same name in two splits, with other images": names,
            f"the same pair in two splits{remedy}": len(copies),
        }.items()
        if count
    }


def _drawn_splits(config: DatasetConfig) -> frozenset[str]:
    """The splits that are drawn here from one set of pairs, not published apart."""
    if isinstance(config, BoxesConfig) and not config.is_published:
        return frozenset(SPLITS)
    if isinstance(config, PublishedSplits):
        return frozenset(("train", "val") if config.hold_out else ())
    return frozenset(SPLITS)


def _describe(
    name: str, config: DatasetConfig, source: Source, notes: Mapping[str, int]
) -> PreparedSet:
    return PreparedSet(
        name=name,
        layout=config.layout,
        classes=list(source.classes) if source.classes else None,
        splits=source.splits,
        split_protocol=source.protocol,
        selection=source.selection,
        checksum=protocol_digest(source.splits),
        notes=dict(notes),
        night=source.night,
        palette=_palette(config),
        unlabeled=isinstance(config, MasksConfig) and config.ignore is not None,
        background=not isinstance(config, MasksConfig) or config.background,
    )


def _palette(config: DatasetConfig) -> list[list[int]] | None:
    if not isinstance(config, MasksConfig):
        return None
    return [list(color) for color in config.label_classes().palette]


def _link_training_pairs(names: Sequence[str], split: Path, train: Path) -> None:
    """The training pairs once more, without storing them twice where files can have two names."""
    for kind in ("ir", "vi"):
        (train / kind).mkdir()
        for name in names:
            source, target = (folder / kind / f"{name}.png" for folder in (split, train))
            try:
                os.link(source, target)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(source, target)


def _report(prepared: PreparedSet, shift: Shift | None) -> Report:
    has_boxes = prepared.layout in _BOXES
    return Report(
        prepared.name,
        {split: len(names) for split, names in prepared.splits.items()},
        None if prepared.night is None else len(prepared.night),
        Counter(prepared.notes),
        [*map(boxes_of, prepared.classes or ()), *BOX_NOTES] if has_boxes else (),
        shift,
    )


def _shown(what: str, results: Iterable[Result], total: int) -> Iterable[Result]:
    """The results, with a bar on a terminal: thousands of pairs take minutes."""
    console = Console(stderr=True)
    return track(
        results, what, total, disable=not console.is_terminal, console=console, transient=True
    )
