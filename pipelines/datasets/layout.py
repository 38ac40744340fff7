"""Readers of data sets as they are published: a folder -> labelled pairs by split."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from detection import boxes as m3fd
from fusion.core.errors import InputError, list_names
from fusion.images.pairs import Pair, find_images, find_pairs
from pipelines.datasets.config import MSRS_SPLITS, DatasetConfig
from pipelines.datasets.duplicates import near_duplicates
from pipelines.datasets.night import is_night
from pipelines.datasets.problems import Problems
from pipelines.datasets.splits import make_split
from segmentation import labels as msrs

BOXES = frozenset({".xml", ".txt"})
"""Suffixes of box annotations, in any case."""

NIGHT = "night.txt"
"""A list of the pairs taken at night may lie beside the folders of images."""


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
    """

    protocol: str
    classes: Sequence[str] | None = None
    numbered: Sequence[str] | None = None
    items: list[Item] = field(default_factory=list)
    night: list[str] | None = None

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
    then lacks what they concern.

    Raises:
        InputError: there is no such folder, or nothing of this layout in it.
    """
    root = Path(config.source)
    if not root.is_dir():
        raise InputError(root, "is not a folder", "set the data set's `source` to where it lies")
    readers = {"msrs": _msrs, "m3fd": _boxes, "boxes": _boxes, "pairs": _pairs}
    source = readers[config.layout](root, config, problems)
    with problems.collected():
        source.night = _night(root / NIGHT, [item.pair.name for item in source.items])
    return source


def _night(listing: Path, names: Sequence[str]) -> list[str] | None:
    """As listed, a name a line, else by MSRS's names; None where neither says so of every pair."""
    if listing.is_file():
        listed = {line.strip() for line in listing.read_text().splitlines()} - {""}
        if unknown := listed.difference(names):
            raise InputError(listing, f"names no pair: {list_names(unknown)}", "correct the list")
        return sorted(listed)
    told = {name: is_night(name) for name in names}
    return None if None in told.values() else sorted(name for name in names if told[name])


def _msrs(root: Path, config: DatasetConfig, problems: Problems) -> Source:
    source = Source("official", msrs.CLASSES)
    for split, folder in _split_folders(root, config, MSRS_SPLITS).items():
        pairs = _find(folder, config.infrared or "ir", config.visible or "vi", problems)
        with problems.collected():
            labels = folder / (config.labels or "Segmentation_labels")
            found = find_images(labels)
            _require_labels(labels, pairs, found)
            source.items += [Item(split, pair, found[pair.name]) for pair in pairs]
    return source


def _boxes(root: Path, config: DatasetConfig, problems: Problems) -> Source:
    infrared, visible, labels = _BOX_FOLDERS[config.layout]
    order = config.classes or m3fd.CLASSES
    source = Source(config.split, m3fd.CLASSES if config.layout == "m3fd" else order, order)
    pairs = _find(root, config.infrared or infrared, config.visible or visible, problems)
    folder = root / (config.labels or labels)
    if not folder.is_dir():
        raise InputError(folder, "is not a folder", "set `labels` to the folder of annotations")
    names = [pair.name for pair in pairs]
    with problems.collected():
        found = _annotations(folder, names)
        text_only = {path.suffix.lower() for path in found.values()} == {".txt"}
        if not text_only:  # by YOLO text's convention an image without objects has no file
            _require_labels(folder, pairs, found)
        groups = None
        if config.split == "grouped" and pairs:
            groups = near_duplicates(pairs, infrared_range=config.infrared_range)
        splits = make_split(
            names, config.split, config.fractions, config.seed, config.block, groups
        )
        split_of = {name: split for split, members in splits.items() for name in members}
        source.items = [Item(split_of[pair.name], pair, found.get(pair.name)) for pair in pairs]
    return source


def _annotations(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """VOC XML or YOLO text by stem; files of other names than the images' do not matter."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in BOXES:
            found[path.stem].append(path)
    if double := [path.name for name in names for path in found.get(name, ()) if found[name][1:]]:
        reason = f"has two annotations of one image: {list_names(double)}"
        raise InputError(folder, reason, "keep the one that is right")
    return {name: found[name][0] for name in names if name in found}


_BOX_FOLDERS = {"m3fd": ("Ir", "Vis", "Annotation"), "boxes": ("ir", "vi", "labels")}


def _pairs(root: Path, config: DatasetConfig, problems: Problems) -> Source:
    infrared, visible = config.infrared or "ir", config.visible or "vi"
    source = Source("official")
    if config.splits is None and (root / infrared).is_dir():
        folders = {"test": root}
    else:
        folders = _split_folders(root, config, {name: name for name in ("train", "val", "test")})
    for split, folder in folders.items():
        source.items += [Item(split, p) for p in _find(folder, infrared, visible, problems)]
    return source


def _find(folder: Path, infrared: str, visible: str, problems: Problems) -> list[Pair]:
    with problems.collected():
        return find_pairs(folder / infrared, folder / visible)
    return []


def _split_folders(
    root: Path, config: DatasetConfig, official: Mapping[str, str]
) -> dict[str, Path]:
    if config.splits is not None:
        return {split: root / folder for split, folder in config.splits.items()}
    found = {split: root / name for split, name in official.items() if (root / name).is_dir()}
    if not found:
        wanted = ", ".join(official.values())
        raise InputError(root, f"has none of the folders {wanted}", "check `source` and `layout`")
    return found


def _require_labels(folder: Path, pairs: Sequence[Pair], found: Mapping[str, Path]) -> None:
    if missing := {pair.name for pair in pairs} - found.keys():
        raise InputError(folder, f"has no label for {list_names(missing)}", "add the labels")
