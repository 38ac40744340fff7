"""Prepared data sets: `dataset.json` and the files that it lists."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import PrivateAttr, ValidationError

from fusion.core.config import Config
from fusion.core.errors import InputError, unreadable
from fusion.core.files import require_file
from fusion.images.pairs import Pair

SPLITS = ("train", "val", "test")
"""The splits that a data set can have, in this order."""

Layout = Literal["msrs", "masks", "m3fd", "boxes", "pairs"]

LABEL_SUFFIXES: dict[Layout, str] = {
    "msrs": ".png",
    "masks": ".png",
    "m3fd": ".txt",
    "boxes": ".txt",
}
"""Label images of class indices, or YOLO text; a layout that is not here has no labels."""

_MANIFEST = "dataset.json"


class PreparedSet(Config):
    """A data set in the layout that every stage reads.

    Its folder holds `<split>/{ir,vi}/<name>.png`, `<split>/labels/<name>.{png,txt}` where it has
    labels, and `dataset.json`, which this class alone writes and reads.

    Attributes:
        name: name of the data set.
        layout: layout of the source; decides the kind of labels.
        classes: class names in the order of their indices; None without labels.
        splits: sorted names by split.
        split_protocol: how it was split: "official", "random", "blocks" or "grouped", or a
            sentence about the lists or the draw that selected its pairs.
        selection: how the test pairs were chosen among the published ones; None if all are used.
        checksum: SHA-256 of `splits`.
        notes: counts of the conversions and findings of preparation.
        night: sorted names of the pairs taken at night; None if unknown.
        palette: RGB color of each class of label images; None for the classes' usual ones.
        unlabeled: whether label images have pixels of value 255, which do not count.
        background: whether class 0 of label images counts in the mean IoU.

    >>> example = PreparedSet(
    ...     name="street", layout="pairs", classes=None, splits={"test": ["00001D"]},
    ...     split_protocol="official", checksum="", notes={}, night=None,
    ... )
    >>> example.save(folder)
    >>> [pair.visible.name for pair in PreparedSet.load(folder).pairs("test")]
    ['00001D.png']
    """

    name: str
    layout: Layout
    classes: list[str] | None
    splits: dict[str, list[str]]
    split_protocol: str
    checksum: str
    notes: dict[str, int]
    night: list[str] | None
    selection: str | None = None
    palette: list[list[int]] | None = None
    unlabeled: bool = False
    background: bool = True
    _folder: Path = PrivateAttr(default=Path())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `folder/dataset.json`.

        Raises:
            InputError: the data set has not been prepared, or the file is damaged.
        """
        path = folder / _MANIFEST
        remedy = f"run `dvc repro prepare@{folder.name}`"
        if not path.exists():
            raise InputError(path, "is missing", remedy)
        require_file(path)
        try:
            prepared = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise unreadable(path, error) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            reason = f"does not describe a prepared data set ({where} {first['msg']})"
            raise InputError(path, reason, remedy) from error
        prepared._folder = folder
        return prepared

    def save(self, folder: Path) -> None:
        """Write `folder/dataset.json`; equal data sets give equal bytes."""
        text = json.dumps(self.model_dump(), indent=1, sort_keys=True)
        (folder / _MANIFEST).write_text(f"{text}\n")

    @property
    def folder(self) -> Path:
        """The folder it was loaded from."""
        return self._folder

    def names(self, split: str) -> list[str]:
        """Sorted names of a split's pairs; empty if the data set does not have the split."""
        return list(self.splits.get(split, ()))

    def pairs(self, split: str) -> list[Pair]:
        """The pairs of one split, sorted by name.

        Raises:
            InputError: the data set has no such split or an empty one.
        """
        if not (names := self.names(split)):
            reason = f"has no '{split}' images"
            raise InputError(self.folder, reason, f"it has {', '.join(self.splits)}")
        base = self.folder / split
        return [
            Pair(name, base / "ir" / f"{name}.png", base / "vi" / f"{name}.png") for name in names
        ]

    def label(self, split: str, name: str) -> Path:
        """The label file of a pair.

        Raises:
            InputError: the data set has no labels.
        """
        if self.layout not in LABEL_SUFFIXES:
            raise InputError(self.folder, "has no labels", "choose a data set with labels")
        return self.folder / split / "labels" / f"{name}{LABEL_SUFFIXES[self.layout]}"

    def files(self) -> set[str]:
        """Everything that a prepared folder holds, as POSIX paths relative to it."""
        kinds = {"ir": ".png", "vi": ".png"}
        if self.layout in LABEL_SUFFIXES:
            kinds["labels"] = LABEL_SUFFIXES[self.layout]
        listed = {
            f"{split}/{kind}/{name}{suffix}"
            for split, names in self.splits.items()
            for name in names
            for kind, suffix in kinds.items()
        }
        return {_MANIFEST, *listed}


def training_sets(folder: Path, names: Sequence[str]) -> list[Path]:
    """Folders of training pairs (`{ir,vi}/<name>.png`) of the named data sets, by name.

    Raises:
        InputError: one has not been prepared for training.
    """
    sets = [folder / name for name in sorted(names)]
    for path in sets:
        if not (path / "ir").is_dir():
            raise InputError(path, "has no training pairs", f"run `dvc repro prepare@{path.name}`")
    return sets
