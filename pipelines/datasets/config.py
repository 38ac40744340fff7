"""Settings of the data: sample scenes and data sets; light to import."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from detection.boxes import CLASSES
from fusion.core.config import Config

MSRS_SPLITS = {"train": "train", "test": "test"}
"""Split -> folder, as MSRS is published."""

_Pair = Annotated[tuple[float, float], Field(strict=False)]  # YAML has lists, not tuples
_Triple = Annotated[tuple[float, float, float], Field(strict=False)]


class SampleConfig(Config):
    """Generated scenes.

    Attributes:
        seed: another seed, other scenes; every image has a seed of its own beneath it, so counts
            do not change the images before.
        msrs_train: number of pairs in MSRS/train.
        msrs_test: number of pairs in MSRS/test.
        m3fd: number of pairs in M3FD.
        height: pixels of every image.
        width: pixels of every image.
    """

    seed: int = Field(0, ge=0, lt=2**32)
    msrs_train: int = Field(48, ge=1, le=10**6)
    msrs_test: int = Field(24, ge=1, le=10**6)
    m3fd: int = Field(200, ge=1, le=10**6)
    height: int = Field(128, ge=32, le=2048)
    width: int = Field(160, ge=32, le=2048)


class DatasetConfig(Config):
    """A data set as it lies on disk, and what it is used for.

    Attributes:
        layout: `msrs` ({train,test}/{ir,vi,Segmentation_labels}), `m3fd` (Ir, Vis, Annotation),
            `boxes` (ir, vi, labels: any set with VOC XML or YOLO text and its own classes) or
            `pairs` (<split>/{ir,vi}, or {ir,vi} alone, which is a test split).
        source: its folder.
        fuse: the splits that every method fuses.
        infrared_range: values of infrared files of more than 8 bits that become 0 and 255; null
            is the full range of 16 bits.
        splits: msrs and pairs: split -> folder under `source`; null finds the layout's own.
        infrared: name of the folder of infrared images; null is the layout's own.
        visible: name of the folder of visible images; null is the layout's own.
        labels: name of the folder of labels, VOC XML or YOLO text (of which an image without
            objects may have none); null is the layout's.
        classes: boxes: names of the classes, in the order of YOLO text's numbers. m3fd: its six
            names in that order; null is People, Car, Bus, Motorcycle, Lamp, Truck.
        split: m3fd and boxes: images drawn one by one (the papers' way), contiguous blocks of
            frames, or groups of near-duplicate frames that stay together.
        fractions: m3fd and boxes: of train, val and test.
        seed: m3fd and boxes: draws the split.
        block: m3fd and boxes: frames in a block.
    """

    layout: Literal["msrs", "m3fd", "boxes", "pairs"]
    source: str
    fuse: list[Literal["train", "val", "test"]] = Field(["test"])
    infrared_range: _Pair | None = None
    splits: dict[Literal["train", "val", "test"], str] | None = None
    infrared: str | None = None
    visible: str | None = None
    labels: str | None = None
    classes: list[str] | None = None
    split: Literal["random", "blocks", "grouped"] = "random"
    fractions: _Triple = (0.8, 0.1, 0.1)
    seed: int = Field(0, ge=0, lt=2**32)
    block: int = Field(100, ge=1, le=10**6)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.infrared_range and self.infrared_range[0] >= self.infrared_range[1]:
            raise ValueError(f"infrared_range is [lowest, highest]; got {self.infrared_range}")
        if min(self.fractions) < 0 or self.fractions[0] == 0 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions of train, val, test sum to 1; got {self.fractions}")
        others = {
            "m3fd": {"splits"},
            "boxes": {"splits"},
            "msrs": {"classes", *_DRAWN_SPLIT},
            "pairs": {"classes", "labels", *_DRAWN_SPLIT},
        }
        misplaced = sorted(others[self.layout] & self.model_fields_set)
        if misplaced:
            raise ValueError(f"{', '.join(misplaced)}: not a setting of layout '{self.layout}'")
        if self.layout == "boxes" and not self.classes:
            raise ValueError("layout 'boxes' needs the names of its classes")
        if self.classes and len({name.lower() for name in self.classes}) < len(self.classes):
            raise ValueError(f"classes have names of their own; got {self.classes}")
        if self.layout == "m3fd" and self.classes:
            self._names_of_m3fd(self.classes)
        return self

    @staticmethod
    def _names_of_m3fd(names: Sequence[str]) -> None:
        if {name.lower() for name in names} != {name.lower() for name in CLASSES}:
            raise ValueError(
                f"classes: layout 'm3fd' has {', '.join(CLASSES)}, in any order; got {names}"
            )


_DRAWN_SPLIT = {"split", "fractions", "seed", "block"}
