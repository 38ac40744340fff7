"""Settings of the data: sample scenes and data sets; light to import."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, field_validator, model_validator

from detection.classes import CLASSES
from fusion.core.config import Config

MSRS_SPLITS = {"train": "train", "test": "test"}
"""Split -> folder, as MSRS is published."""

SPLIT_FIELD = "{split}"
"""Stands for a split's folder in the names of `infrared`, `visible` and `labels`."""

Split = Literal["train", "val", "test"]
_Pair = Annotated[tuple[FiniteFloat, FiniteFloat], Field(strict=False)]  # YAML has lists
_Triple = Annotated[tuple[FiniteFloat, FiniteFloat, FiniteFloat], Field(strict=False)]


class SampleConfig(Config):
    """Generated scenes.

    Attributes:
        seed: seed of the scenes. Every image has a separate seed derived from it, so a larger
            count does not change the earlier images.
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


class DatasetBase(Config):
    """Settings of every data set.

    Attributes:
        source: its folder.
        fuse: the splits that every method fuses.
        infrared_range: values of infrared files of more than 8 bits that become 0 and 255; null
            is the full range of 16 bits.
        infrared: name of the folder of infrared images; null is the layout's own. The names of
            folders may hold `{split}`, for sets that keep their splits below them.
        visible: name of the folder of visible images; null is the layout's own.
        license: terms of the data, as the report states them; null if you do not know.
    """

    source: str
    fuse: list[Split] = Field(["test"])
    infrared_range: _Pair | None = None
    infrared: str | None = None
    visible: str | None = None
    license: str | None = None

    @field_validator("infrared_range")
    @classmethod
    def _ordered(cls, values: tuple[float, float] | None) -> tuple[float, float] | None:
        if values and values[0] >= values[1]:
            raise ValueError(f"infrared_range is [lowest, highest]; got {list(values)}")
        return values

    @model_validator(mode="before")
    @classmethod
    def _of_this_layout(cls, values: Any) -> Any:
        """Reject a setting of another layout."""
        if isinstance(values, Mapping):
            others = {name for kind in _LAYOUTS for name in kind.model_fields}
            misplaced = (others - cls.model_fields.keys()) & values.keys()
            if misplaced:
                shown = ", ".join(sorted(misplaced))
                raise ValueError(f"{shown}: not a setting of layout '{values.get('layout')}'")
        return values

    def shortage(self, needed: Collection[str]) -> str | None:
        """The setting, with its value, that excludes a needed split; None if there is none."""
        if not set(needed) <= set(self.fuse):
            return f"fuse: [{', '.join(self.fuse)}]"
        return None


class PublishedSplits(DatasetBase):
    """A data set whose splits can be published with it.

    Attributes:
        splits: split -> folder under `source`, or what stands for `{split}` in the names of
            folders; null finds the layout's own.
    """

    splits: dict[Split, str] | None = None

    @field_validator("splits")
    @classmethod
    def _some(cls, splits: dict[Split, str] | None) -> dict[Split, str] | None:
        if splits is not None and not splits:
            raise ValueError("names no split; leave it out to find the layout's own")
        return splits

    def shortage(self, needed: Collection[str]) -> str | None:
        if self.splits is not None and not set(needed) <= set(self.splits):
            return super().shortage(needed) or f"splits: [{', '.join(self.splits)}]"
        return super().shortage(needed)


class MSRSConfig(PublishedSplits):
    """{train,test}/{ir,vi,Segmentation_labels}.

    Attributes:
        labels: name of the folder of label images.
    """

    layout: Literal["msrs"]
    labels: str | None = None


class PairsConfig(PublishedSplits):
    """<split>/{ir,vi}, or {ir,vi} alone, which is a test split."""

    layout: Literal["pairs"]


class DrawnSplits(DatasetBase):
    """A data set with boxes whose splits are drawn.

    Attributes:
        labels: name of the folder of labels, VOC XML or YOLO text (of which an image without
            objects may have none); null is the layout's.
        split: images drawn one by one (the papers' way), contiguous blocks of frames, or groups
            of near-duplicate frames that stay together.
        fractions: of train, val and test.
        seed: draws the split.
        block: frames in a block.
    """

    labels: str | None = None
    split: Literal["random", "blocks", "grouped"] = "random"
    fractions: _Triple = (0.8, 0.1, 0.1)
    seed: int = Field(0, ge=0, lt=2**32)
    block: int = Field(100, ge=1, le=10**6)

    @field_validator("fractions")
    @classmethod
    def _whole(cls, values: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(values) < 0 or values[0] == 0 or abs(sum(values) - 1) > 1e-6:
            raise ValueError(f"fractions of train, val, test sum to 1; got {list(values)}")
        return values

    def shortage(self, needed: Collection[str]) -> str | None:
        if min(self.fractions) == 0:
            return super().shortage(needed) or f"fractions: {list(self.fractions)}"
        return super().shortage(needed)


class M3FDConfig(DrawnSplits):
    """Ir, Vis, Annotation.

    Attributes:
        classes: its six names in the order of YOLO text's numbers; null is People, Car, Bus,
            Motorcycle, Lamp, Truck.
    """

    layout: Literal["m3fd"]
    classes: list[str] | None = None

    @field_validator("classes")
    @classmethod
    def _official(cls, names: list[str] | None) -> list[str] | None:
        if names and sorted(map(str.lower, names)) != sorted(map(str.lower, CLASSES)):
            raise ValueError(f"layout 'm3fd' has {', '.join(CLASSES)}, in any order; got {names}")
        return names


class BoxesConfig(PublishedSplits, DrawnSplits):
    """ir, vi, labels: any data set with VOC XML or YOLO text and any classes.

    Attributes:
        classes: names, in the order of YOLO text's numbers.
        splits: published splits; null draws them.
    """

    layout: Literal["boxes"]
    classes: list[str]

    @field_validator("classes")
    @classmethod
    def _named(cls, names: list[str]) -> list[str]:
        return distinct_names(names)

    @model_validator(mode="after")
    def _drawn_or_published(self) -> Self:
        drawn = self.model_fields_set & {"split", "fractions", "seed", "block"}
        if drawn and self.is_published:
            shown = ", ".join(sorted(drawn))
            raise ValueError(f"{shown}: without effect where the splits are published (`splits`)")
        return self

    @property
    def is_published(self) -> bool:
        """Whether the set comes with its splits; else they are drawn."""
        folders = (self.infrared, self.visible, self.labels)
        return self.splits is not None or any(SPLIT_FIELD in (name or "") for name in folders)


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return class names after checking that none is blank or repeated, ignoring case.

    Raises:
        ValueError: they cannot name classes.
    """
    if not names or not all(name.strip() for name in names):
        raise ValueError(f"has a blank name; got {list(names)}")
    if len({name.strip().lower() for name in names}) < len(names):
        raise ValueError(f"has a name twice; got {list(names)}")
    return list(names)


_LAYOUTS = (MSRSConfig, M3FDConfig, BoxesConfig, PairsConfig)

DatasetConfig = Annotated[
    MSRSConfig | M3FDConfig | BoxesConfig | PairsConfig, Field(discriminator="layout")
]
"""A data set on disk and its use; `layout` selects the class of its settings."""
