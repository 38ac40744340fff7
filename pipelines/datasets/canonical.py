"""The one layout of prepared data sets, read side."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fusion.core.errors import InputError
from fusion.images.pairs import Pair


def manifest(folder: Path) -> dict[str, Any]:
    """`dataset.json` of a prepared data set.

    Raises:
        InputError: the data set has not been prepared.
    """
    path = folder / "dataset.json"
    if not path.is_file():
        raise InputError(path, "is missing", f"run `dvc repro prepare@{folder.name}`")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def prepared_pairs(folder: Path, split: str) -> list[Pair]:
    """The pairs of one split, sorted by name.

    Raises:
        InputError: the data set has not been prepared or has no such split.
    """
    splits = manifest(folder)["splits"]
    if not splits.get(split):
        raise InputError(folder, f"has no '{split}' images", f"it has {', '.join(splits)}")
    base = folder / split
    return [
        Pair(name, base / "ir" / f"{name}.png", base / "vi" / f"{name}.png")
        for name in splits[split]
    ]


def training_sets(folder: Path, names: Sequence[str]) -> list[Path]:
    """Folders of training pairs of the named data sets, by name.

    Raises:
        InputError: one has not been prepared for training.
    """
    sets = [folder / name for name in sorted(names)]
    for path in sets:
        if not (path / "ir").is_dir():
            raise InputError(path, "has no training pairs", f"run `dvc repro prepare@{path.name}`")
    return sets
