"""Readers of data sets as they are published: a folder -> labelled pairs by split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detection import m3fd
from detection.splits import make_split
from fusion.images import InputError, Pair, find_images, find_pairs
from pipelines.datasets.config import MSRS_SPLITS, DatasetConfig
from segmentation import msrs


@dataclass(frozen=True)
class Source:
    """A data set found on disk, nothing decoded yet.

    splits: pairs by split.
    labels: label file by split and pair name; empty without labels.
    classes: of the labels; None without labels.
    protocol: how it was split.
    """

    splits: dict[str, list[Pair]]
    labels: dict[tuple[str, str], Path]
    classes: Sequence[str] | None
    protocol: str


def find_source(config: DatasetConfig) -> Source:
    """Find the pairs and labels of a data set in its layout.

    Raises:
        InputError: folders are missing or empty, or images lack partners or labels.
    """
    root = Path(config.source)
    if not root.is_dir():
        raise InputError(root, "is not a folder", "set the data set's `source` to where it lies")
    return {"msrs": _msrs, "m3fd": _m3fd, "pairs": _pairs}[config.layout](root, config)


def _msrs(root: Path, config: DatasetConfig) -> Source:
    splits: dict[str, list[Pair]] = {}
    labels: dict[tuple[str, str], Path] = {}
    for split, folder in _split_folders(root, config, MSRS_SPLITS).items():
        splits[split] = find_pairs(
            folder / (config.infrared or "ir"), folder / (config.visible or "vi")
        )
        found = find_images(folder / (config.labels or "Segmentation_labels"))
        labels |= _matched(split, splits[split], found, folder)
    return Source(splits, labels, msrs.CLASSES, "official")


def _m3fd(root: Path, config: DatasetConfig) -> Source:
    pairs = find_pairs(root / (config.infrared or "Ir"), root / (config.visible or "Vis"))
    folder = root / (config.labels or "Annotation")
    found = {path.stem: path for path in folder.glob("*") if path.suffix in {".xml", ".txt"}}
    matched = _matched("", pairs, found, folder)
    parts = make_split(
        [pair.name for pair in pairs], config.split, config.fractions, config.seed, config.block
    )
    by_name = {pair.name: pair for pair in pairs}
    splits = {split: [by_name[name] for name in names] for split, names in parts.items()}
    labels = {
        (split, pair.name): matched["", pair.name] for split in splits for pair in splits[split]
    }
    return Source(splits, labels, m3fd.CLASSES, config.split)


def _pairs(root: Path, config: DatasetConfig) -> Source:
    infrared, visible = config.infrared or "ir", config.visible or "vi"
    if config.splits is None and (root / infrared).is_dir():
        folders = {"test": root}
    else:
        folders = _split_folders(root, config, {"train": "train", "val": "val", "test": "test"})
    splits = {
        split: find_pairs(folder / infrared, folder / visible) for split, folder in folders.items()
    }
    return Source(splits, {}, None, "official")


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


def _matched(
    split: str, pairs: Sequence[Pair], found: Mapping[str, Path], folder: Path
) -> dict[tuple[str, str], Path]:
    missing = [pair.name for pair in pairs if pair.name not in found]
    if missing:
        shown = ", ".join(missing[:10])
        raise InputError(folder, f"has no label for {shown}", "add the labels")
    return {(split, pair.name): found[pair.name] for pair in pairs}
