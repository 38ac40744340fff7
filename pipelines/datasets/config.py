"""Settings of data sets; light to import."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, field_validator, model_validator

from detection.classes import CLASSES
from fusion.core.config import Config
from segmentation.classes import IGNORE, PRESETS, LabelClasses, as_colors, distinct_colors

MSRS_SPLITS = {"train": "train", "test": "test"}
"""Split -> folder, as MSRS is published."""

SPLIT_FIELD = "{split}"
"""Stands for a split's folder in the names of `infrared`, `visible` and `labels`."""

NAME_FIELD = "{name}"
"""Stands for a pair's name where files of one folder have additions: `JPEGImages/{name}_RGB`."""

Split = Literal["train", "val", "test"]
_Pair = Annotated[tuple[FiniteFloat, FiniteFloat], Field(strict=False)]  # YAML has lists
_Triple = Annotated[tuple[FiniteFloat, FiniteFloat, FiniteFloat], Field(strict=False)]


class DatasetBase(Config):
    """Settings of every data set.

    Attributes:
        source: its folder.
        fuse: the splits that every method fuses.
        infrared_range: values of infrared files of more than 8 bits that become 0 and 255; null
            is the full range of 16 bits.
        infrared: name of the folder of infrared images; null is the layout's own. The names of
            folders may hold `{split}`, for sets that keep their splits below them, and end in
            `/{name}` with additions, for files whose names say more than the pair's name. If
            infrared and visible are one folder, each file has four channels: RGB and infrared.
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
        lists: split -> file of the names of its pairs, one per line: below `source`, or one that
            comes with the project (`pipelines/datasets/lists`). Pairs in no list are not used.
        sample: split -> number of pairs, drawn from all of the split.
        hold_out: share of the training pairs that becomes the split val, drawn.
        sample_seed: draws `sample` and `hold_out`.
    """

    splits: dict[Split, str] | None = None
    lists: dict[Split, str] | None = None
    sample: dict[Split, Annotated[int, Field(ge=1)]] = Field({})
    hold_out: float = Field(0.0, ge=0, lt=1)
    sample_seed: int = Field(0, ge=0, lt=2**32)

    @field_validator("splits", "lists")
    @classmethod
    def _some(cls, splits: dict[Split, str] | None) -> dict[Split, str] | None:
        if splits is not None and not splits:
            raise ValueError("names no split; leave it out to find the layout's own")
        return splits

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.hold_out and "val" in {**(self.splits or {}), **(self.lists or {})}:
            raise ValueError("hold_out: the set has a split val already: leave one of them out")
        return self

    def shortage(self, needed: Collection[str]) -> str | None:
        drawn = {"val"} if self.hold_out else set()
        for key, named in (("splits", self.splits), ("lists", self.lists)):
            if named is not None and not set(needed) <= {*named, *drawn}:
                return super().shortage(needed) or f"{key}: [{', '.join(named)}]"
        return super().shortage(needed)


class MasksConfig(PublishedSplits):
    """{train,test}/{ir,vi,masks}: label images of any classes.

    Attributes:
        labels: name of the folder of label images.
        classes: `msrs`, `mfnet` or `fmb`, or the names of the classes in the order of their
            indices, at most 255.
        palette: RGB color of each class, for labels painted in colors and for pictures; null is
            that of the named list, or one of distinct colors.
        ignore: value of pixels without a label, which count neither in training nor in testing.
        background: whether class 0 counts in the mean IoU; papers differ.
    """

    layout: Literal["masks"]
    labels: str | None = None
    classes: str | list[str]
    palette: list[list[Annotated[int, Field(ge=0, le=255)]]] | None = None
    ignore: int | None = Field(None, ge=0, le=65535)
    background: bool = True

    @field_validator("classes")
    @classmethod
    def _known(cls, classes: str | list[str]) -> str | list[str]:
        if isinstance(classes, list):
            if len(classes) > IGNORE:
                raise ValueError(f"has {len(classes)} names; at most {IGNORE} are possible")
            return distinct_names(classes)
        if classes not in PRESETS:
            raise ValueError(f"'{classes}' is no class list; choose from {', '.join(PRESETS)}")
        return classes

    @model_validator(mode="after")
    def _matching(self) -> Self:
        classes = self.label_classes()
        if self.palette is not None and (
            len(self.palette) != len(classes) or any(len(color) != 3 for color in self.palette)
        ):
            raise ValueError(f"palette: has one color [R, G, B] for each of {len(classes)} classes")
        if self.ignore is not None and self.ignore < len(classes):
            named = classes.names[self.ignore]
            raise ValueError(f"ignore: {self.ignore} is the index of class '{named}'")
        if not self.background and len(classes) < 2:
            raise ValueError("background: no class would count in the mean IoU")
        return self

    def label_classes(self) -> LabelClasses:
        """The classes of the label files."""
        preset = PRESETS[self.classes] if isinstance(self.classes, str) else None
        names = preset.names if preset else tuple(self.classes)
        palette = preset.palette if preset else distinct_colors(len(names))
        if self.palette is not None and all(len(color) == 3 for color in self.palette):
            palette = as_colors(self.palette)
        return LabelClasses(names, palette, self.ignore, self.background)


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
        left_out: names of further classes in the label files, whose objects are dropped.
    """

    layout: Literal["boxes"]
    classes: list[str]
    left_out: list[str] = Field([])

    @field_validator("classes")
    @classmethod
    def _named(cls, names: list[str]) -> list[str]:
        return distinct_names(names)

    @model_validator(mode="after")
    def _drawn_or_published(self) -> Self:
        drawn = self.model_fields_set & {"split", "fractions", "seed", "block"}
        if drawn and self.is_published:
            shown = ", ".join(sorted(drawn))
            published = "where the splits are published (`splits`, `lists`)"
            raise ValueError(f"{shown}: without effect {published}")
        return self

    @property
    def is_published(self) -> bool:
        """Whether the set comes with its splits; else they are drawn."""
        folders = (self.infrared, self.visible, self.labels)
        named = any(SPLIT_FIELD in (name or "") for name in folders)
        return bool(self.splits or self.lists) or named


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


_LAYOUTS = (MSRSConfig, MasksConfig, M3FDConfig, BoxesConfig, PairsConfig)

DatasetConfig = Annotated[
    MSRSConfig | MasksConfig | M3FDConfig | BoxesConfig | PairsConfig, Field(discriminator="layout")
]
"""A data set on disk and its use; `layout` selects the class of its settings."""
