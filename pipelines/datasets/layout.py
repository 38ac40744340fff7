"""Readers of data sets as they are published: a folder -> labeled pairs by split."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from detection.classes import CLASSES as M3FD_CLASSES
from fusion.core.errors import InputError, list_names, unreadable
from fusion.core.files import read_bytes
from fusion.images.pairs import Pair, find_images, find_pairs, list_folder
from fusion.images.prepared import SPLITS
from pipelines.datasets.config import (
    MSRS_SPLITS,
    SPLIT_FIELD,
    BoxesConfig,
    DatasetConfig,
    M3FDConfig,
    MSRSConfig,
    PairsConfig,
    PublishedSplits,
)
from pipelines.datasets.night import is_night
from pipelines.datasets.problems import Problems
from pipelines.datasets.splits import make_split
from segmentation import labels as msrs

BOXES = frozenset({".xml", ".txt"})
"""Suffixes of box annotations, in any case."""

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
    night: names of the pairs taken at night; None where day and night are not known.
    notes: what was found in the folders and how often.
    """

    protocol: str
    classes: Sequence[str] | None = None
    numbered: Sequence[str] | None = None
    items: list[Item] = field(default_factory=list)
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
        with problems.collected():
            source.night = _night(root / NIGHT, [item.pair.name for item in source.items])
    except OSError as error:
        raise unreadable(root, error) from error
    return source


def _read(root: Path, config: DatasetConfig, problems: Problems) -> Source:
    if isinstance(config, MSRSConfig):
        return _msrs(root, config, problems)
    if isinstance(config, PairsConfig):
        return _pairs(root, config, problems)
    return _boxes(root, config, problems)


def _night(listing: Path, names: Sequence[str]) -> list[str] | None:
    """Night pairs from the list (one name per line) or MSRS's names; None if neither covers all."""
    if os.path.lexists(listing):
        listed = {line.strip() for line in _text(listing).splitlines()} - {""}
        if unknown := listed.difference(names):
            raise InputError(listing, f"names no pair: {list_names(unknown)}", "correct the list")
        return sorted(listed)
    told = {name: is_night(name) for name in names}
    return None if None in told.values() else sorted(name for name in names if told[name])


_LIST_LIMIT = 2**26
"""Bytes of a list of names."""


def _text(path: Path) -> str:
    try:
        text = read_bytes(path, _LIST_LIMIT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8 text", "save it as UTF-8") from error
    if "\0" in text:
        raise InputError(path, "is not a text file", "save it as UTF-8")
    return text


def _msrs(root: Path, config: MSRSConfig, problems: Problems) -> Source:
    source = Source("official", msrs.CLASSES)
    names = config.infrared or "ir", config.visible or "vi", config.labels or "Segmentation_labels"
    for split, (infrared, visible, labels) in _published(root, config, names, MSRS_SPLITS).items():
        pairs = _find(infrared, visible, problems)
        with problems.collected():
            found = find_images(labels)
            _require_labels(labels, pairs, found)
            _require_png([found[pair.name] for pair in pairs])
            source.items += [Item(split, pair, found[pair.name]) for pair in pairs]
    source.notes.update(_unread(root, config, names, MSRS_SPLITS))
    return source


def _require_png(labels: Sequence[Path]) -> None:
    if others := [path for path in labels if path.suffix.lower() != ".png"]:
        rest = f" (and {len(others) - 1} more labels are not PNG)" if others[1:] else ""
        kind = others[0].suffix[1:].upper()
        reason = f"a label is PNG, and {kind} can change its class indices{rest}"
        raise InputError(others[0], reason, "export the labels as PNG")


def _boxes(root: Path, config: M3FDConfig | BoxesConfig, problems: Problems) -> Source:
    own = ("Ir", "Vis", "Annotation") if config.layout == "m3fd" else ("ir", "vi", "labels")
    chosen = config.infrared, config.visible, config.labels
    names = tuple(name or usual for name, usual in zip(chosen, own, strict=True))
    classes = config.classes or M3FD_CLASSES
    source = Source(
        config.split, M3FD_CLASSES if config.layout == "m3fd" else classes, numbered=classes
    )
    if isinstance(config, BoxesConfig) and config.is_published:
        source.protocol = "official"
        for split, folders in _published(root, config, names, _ANY_SPLIT).items():
            source.items += _labeled(split, folders, problems)
        return source
    _require_images_in(root / names[0], names[0])
    source.items = _labeled(UNDECIDED, [root / name for name in names], problems)
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


def _labeled(split: str, folders: Sequence[Path], problems: Problems) -> list[Item]:
    infrared, visible, labels = folders
    pairs = _find(infrared, visible, problems)
    with problems.collected():
        found = _annotations(labels, [pair.name for pair in pairs])
        text_only = {path.suffix.lower() for path in found.values()} == {".txt"}
        if not text_only:  # by YOLO text's convention an image without objects has no file
            _require_labels(labels, pairs, found)
        return [Item(split, pair, found.get(pair.name)) for pair in pairs]
    return []


def _annotations(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """VOC XML or YOLO text by stem; files with other stems than the images are ignored."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in list_folder(folder, "set `labels` to the folder of annotations"):
        if path.suffix.lower() in BOXES:
            found[path.stem].append(path)
    if double := [path.name for name in names for path in found.get(name, ()) if found[name][1:]]:
        reason = f"has two annotations of one image: {list_names(double)}"
        raise InputError(folder, reason, "keep the one that is right")
    return {name: found[name][0] for name in names if name in found}


def _pairs(root: Path, config: PairsConfig, problems: Problems) -> Source:
    names = config.infrared or "ir", config.visible or "vi"
    source = Source("official")
    if config.splits is None and (root / names[0]).is_dir():
        _require_images_in(root / names[0], names[0])
        folders = {"test": [root / name for name in names]}
    else:
        folders = _published(root, config, names, _ANY_SPLIT)
    for split, (infrared, visible) in folders.items():
        source.items += [Item(split, pair) for pair in _find(infrared, visible, problems)]
    return source


def _find(infrared: Path, visible: Path, problems: Problems) -> list[Pair]:
    with problems.collected():
        return find_pairs(infrared, visible)
    return []


def _published(
    root: Path, config: PublishedSplits, names: Sequence[str], official: Mapping[str, str]
) -> dict[str, list[Path]]:
    """The folders `names` of every split: `<split>/<name>`, or `<name>` with `{split}` in it."""
    if config.splits is not None:
        if not any(SPLIT_FIELD in name for name in names):
            _require_images_in(root / names[0], names[0])
        return {split: _below(root, names, folder) for split, folder in config.splits.items()}
    found = {split: _below(root, names, folder) for split, folder in official.items()}
    if any(SPLIT_FIELD in name for name in names):
        found = {split: folders for split, folders in found.items() if folders[0].is_dir()}
    else:
        found = {split: found[split] for split in official if (root / official[split]).is_dir()}
    if not found:
        _require_images_in(root / names[0], names[0])
        wanted = ", ".join(official.values())
        raise InputError(root, f"has none of the folders {wanted}", "check `source` and `layout`")
    return found


def _below(root: Path, names: Sequence[str], split: str) -> list[Path]:
    if any(SPLIT_FIELD in name for name in names):
        return [root / name.replace(SPLIT_FIELD, split) for name in names]
    return [root / split / name for name in names]


def _require_images_in(folder: Path, name: str) -> None:
    """Reject a folder of splits in place of images, with the correct name in the message."""
    if found := [split for split in SPLITS if (folder / split).is_dir()]:
        reason = f"holds the splits {' and '.join(found)}, not images"
        remedy = f"write `infrared: {name}/{SPLIT_FIELD}`, and {SPLIT_FIELD} in the other folders"
        raise InputError(folder, reason, remedy)


def _unread(
    root: Path, config: PublishedSplits, names: Sequence[str], official: Mapping[str, str]
) -> Iterator[str]:
    """A note for every split in the folder that the layout does not have."""
    for split in SPLITS:
        if (
            config.splits is None
            and split not in official
            and _below(root, names, split)[0].is_dir()
        ):
            yield f"{split} is not read: add it to `splits` (--split {split}={split})"


def _require_labels(folder: Path, pairs: Sequence[Pair], found: Mapping[str, Path]) -> None:
    if missing := {pair.name for pair in pairs} - found.keys():
        raise InputError(folder, f"has no label for {list_names(missing)}", "add the labels")
