"""Readers of data sets as they are published: a folder -> labeled pairs by split."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from detection.classes import CLASSES as M3FD_CLASSES
from fusion.core.errors import InputError, list_names, unreadable
from fusion.images.pairs import Pair, find_images
from fusion.images.prepared import SPLITS
from pipelines.datasets.config import (
    MSRS_SPLITS,
    NAME_FIELD,
    BoxesConfig,
    DatasetConfig,
    M3FDConfig,
    MasksConfig,
    MSRSConfig,
    PairsConfig,
    PublishedSplits,
)
from pipelines.datasets.labels import annotations, require_labels, require_numbers, require_png
from pipelines.datasets.night import is_night
from pipelines.datasets.places import (
    drawn_split,
    images_at,
    own_name,
    pairs_at,
    published,
    read_names,
    require_images_in,
    unread,
)
from pipelines.datasets.problems import Problems
from pipelines.datasets.splits import make_split
from segmentation.classes import MSRS, LabelClasses

NIGHT = "night.txt"
"""A list of the pairs taken at night may lie beside the folders of images."""

UNDECIDED = ".undecided"
"""Stands for the split of a pair until all pairs are read: a split by groups depends on them."""

_ANY_SPLIT = {name: name for name in SPLITS}


@dataclass(frozen=True)
class Item:
    """A pair of a split, with its label file if the data set has labels.

    Where other pairs' labels are YOLO text, one without has no objects.
    """

    split: str
    pair: Pair
    label: Path | None = None


@dataclass
class Source:
    """A data set found on disk, nothing decoded yet.

    items: all pairs.
    protocol: how it was split.
    classes: of the labels; None without labels.
    numbered: the same names in the order of YOLO text's numbers, for boxes.
    label_classes: of label images; None for boxes.
    left_out: further classes of boxes that are read and dropped.
    selection: how the test pairs were chosen among the published ones; None if all are used.
    night: names of the pairs taken at night; None where day and night are not known.
    notes: what was found in the folders and how often.
    """

    protocol: str
    classes: Sequence[str] | None = None
    numbered: Sequence[str] | None = None
    label_classes: LabelClasses | None = None
    left_out: Sequence[str] = ()
    items: list[Item] = field(default_factory=list)
    selection: str | None = None
    night: list[str] | None = None
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def splits(self) -> dict[str, list[str]]:
        """Sorted names by split."""
        names: dict[str, list[str]] = {}
        for item in self.items:
            names.setdefault(item.split, []).append(item.pair.name)
        return {split: sorted(members) for split, members in names.items()}


def find_source(config: DatasetConfig, problems: Problems) -> Source:
    """Find the pairs and labels of a data set in its layout.

    Missing or empty folders, and images without partner or label, go to `problems`; the source
    does not contain them.

    Raises:
        InputError: the folder is missing, cannot be read, or contains nothing of this layout.
    """
    root = Path(config.source)
    try:
        if not root.is_dir():
            raise InputError(root, "is not a folder", "set `source` to the data set's folder")
        source = _read(root, config, problems)
        if isinstance(config, PublishedSplits) and not problems.found:
            with problems.collected():
                _select(source, config)
        if not problems.found:
            with problems.collected():
                source.night = _night(root / NIGHT, source.items, config)
    except OSError as error:
        raise unreadable(root, error) from error
    return source


def _select(source: Source, config: PublishedSplits) -> None:
    """Keep the sampled pairs, hold the validation pairs out, and say so."""
    lists, sample, seed = config.lists or {}, config.sample, config.sample_seed
    protocol = [f"lists {', '.join(f'{s} {file}' for s, file in lists.items())}"] if lists else []
    chosen = [f"list {lists['test']}"] if "test" in lists else []
    before = source.splits
    if sample or config.hold_out:
        split_of = drawn_split(before, config)
        source.items = [
            Item(split_of[key], item.pair, item.label)
            for item in source.items
            if (key := f"{item.split}/{item.pair.name}") in split_of
        ]
        drawn = [f"{count} of {len(before[split])} {split}" for split, count in sample.items()]
        if config.hold_out:
            drawn.append(f"{config.hold_out:.0%} of train as val")
        protocol.append(f"drawn by seed {seed}: {', '.join(drawn)}")
    if "test" in sample:
        chosen.append(f"{sample['test']} of {len(before['test'])}, drawn by seed {seed}")
    source.protocol = ", ".join(protocol if lists else [source.protocol, *protocol])
    source.selection = ", ".join(chosen) or None


def _read(root: Path, config: DatasetConfig, problems: Problems) -> Source:
    if isinstance(config, MSRSConfig | MasksConfig):
        return _masks(root, config, problems)
    if isinstance(config, PairsConfig):
        return _pairs(root, config, problems)
    return _boxes(root, config, problems)


def _night(listing: Path, items: Sequence[Item], config: DatasetConfig) -> list[str] | None:
    """Night pairs from the list (one name per line) or MSRS's names; None if neither covers all."""
    names = [item.pair.name for item in items]
    if os.path.lexists(listing):
        listed = set(read_names(listing))
        if unknown := listed.difference(names, _names_beside(items, config)):
            remedy = "correct the list: a line is a name without folder and suffix"
            raise InputError(listing, f"names no pair: {list_names(unknown)}", remedy)
        return sorted(listed.intersection(names))
    told = {name: is_night(name) for name in names}
    return None if None in told.values() else sorted(name for name in names if told[name])


def _names_beside(items: Sequence[Item], config: DatasetConfig) -> set[str]:
    """Names of all pairs in the folders, also those that no list and no sample has."""
    last = Path(config.infrared or "").name
    pattern = last if NAME_FIELD in last else NAME_FIELD
    folders = {item.pair.infrared.parent for item in items}
    named = {own_name(stem, pattern) for folder in folders for stem in find_images(folder)}
    return {name for name in named if name is not None}


def _masks(root: Path, config: MSRSConfig | MasksConfig, problems: Problems) -> Source:
    """Pairs with label images."""
    published_by_msrs = isinstance(config, MSRSConfig)
    source = Source("official", MSRS.names, label_classes=MSRS)
    if isinstance(config, MasksConfig):
        classes = config.label_classes()
        source = Source("official", classes.names, label_classes=classes)
    usual = "Segmentation_labels" if published_by_msrs else "masks"
    official = MSRS_SPLITS if published_by_msrs else _ANY_SPLIT
    names = config.infrared or "ir", config.visible or "vi", config.labels or usual
    for split, folders in published(root, config, names, official).items():
        pairs = _find(root, config, split, folders, problems)
        with problems.collected():
            found = images_at(folders[2])
            require_labels(folders[2], pairs, found)
            require_png([found[pair.name] for pair in pairs])
            source.items += [Item(split, pair, found[pair.name]) for pair in pairs]
    source.notes.update(unread(root, config, names, official))
    return source


def _find(
    root: Path, config: DatasetConfig, split: str, places: Sequence[Path], problems: Problems
) -> list[Pair]:
    listed = config if isinstance(config, PublishedSplits) else None
    with problems.collected():
        return pairs_at(listed, root, split, places)
    return []


def _boxes(root: Path, config: M3FDConfig | BoxesConfig, problems: Problems) -> Source:
    own = ("Ir", "Vis", "Annotation") if config.layout == "m3fd" else ("ir", "vi", "labels")
    chosen = config.infrared, config.visible, config.labels
    names = tuple(name or usual for name, usual in zip(chosen, own, strict=True))
    classes = config.classes or M3FD_CLASSES
    source = Source(
        config.split, M3FD_CLASSES if config.layout == "m3fd" else classes, numbered=classes
    )
    if isinstance(config, BoxesConfig):
        source.left_out = config.left_out
    if isinstance(config, BoxesConfig) and config.is_published:
        source.protocol = "official"
        for split, folders in published(root, config, names, _ANY_SPLIT).items():
            source.items += _labeled(root, config, split, folders, problems)
        source.notes.update(unread(root, config, names, _ANY_SPLIT))
        return source
    require_images_in(root / names[0], names[0])
    source.items = _labeled(root, config, UNDECIDED, [root / name for name in names], problems)
    if config.split != "grouped":
        with problems.collected():
            draw(source, config)
    return source


def draw(source: Source, config: DatasetConfig, groups: Mapping[str, int] | None = None) -> None:
    """Draw the splits of a data set that is published without them.

    Args:
        source: receives the splits.
        config: settings of the draw.
        groups: a group number for every name, where the split is by groups.

    Raises:
        InputError: there are fewer images, blocks or groups than splits to fill.
    """
    if not isinstance(config, M3FDConfig | BoxesConfig) or not source.items:
        return
    names = [item.pair.name for item in source.items]
    splits = make_split(names, config.split, config.fractions, config.seed, config.block, groups)
    split_of = {name: split for split, members in splits.items() for name in members}
    source.items = [Item(split_of[item.pair.name], item.pair, item.label) for item in source.items]


def _labeled(
    root: Path,
    config: M3FDConfig | BoxesConfig,
    split: str,
    folders: Sequence[Path],
    problems: Problems,
) -> list[Item]:
    labels = folders[2]
    pairs = _find(root, config, split, folders, problems)
    with problems.collected():
        found = annotations(labels, [pair.name for pair in pairs])
        text_only = {path.suffix.lower() for path in found.values()} == {".txt"}
        if ".txt" in {path.suffix.lower() for path in found.values()}:
            require_numbers(labels, config)
        if not text_only:  # by YOLO text's convention an image without objects has no file
            require_labels(labels, pairs, found)
        return [Item(split, pair, found.get(pair.name)) for pair in pairs]
    return []


def _pairs(root: Path, config: PairsConfig, problems: Problems) -> Source:
    names = config.infrared or "ir", config.visible or "vi"
    source = Source("official")
    if config.splits is config.lists is None and (root / names[0]).is_dir():
        require_images_in(root / names[0], names[0])
        folders = {"test": [root / name for name in names]}
    else:
        folders = published(root, config, names, _ANY_SPLIT)
        source.notes.update(unread(root, config, names, _ANY_SPLIT))
    for split, places in folders.items():
        found = _find(root, config, split, places, problems)
        source.items += [Item(split, pair) for pair in found]
    return source
