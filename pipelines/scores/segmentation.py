"""Scores of the segment stage: intersection over union of one segmentation network."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, InstanceOf, JsonValue

from fusion.core.config import Config
from pipelines.scores.base import UNREADABLE, Scores, Stage, unreadable

if TYPE_CHECKING:
    from numpy.lib.npyio import NpzFile

    from segmentation.experiment import SegmentationResult

_FILE, _LABELS = "per-image.npz", "labels.npz"
_PREFIX = "label-"


class SegmentationPart(Config):
    """A set of test images; see `segmentation.confusion.Scores`."""

    model_config = ConfigDict(from_attributes=True)

    miou: float | None
    iou: dict[str, float | None]
    absent: list[str]
    pixel_accuracy: float | None
    pixels: dict[str, int]
    images: int


@dataclass(frozen=True)
class ImageConfusions:
    """Confusion matrices of N test images: N×K×K counts, rows truth, columns prediction."""

    stems: list[str]
    matrices: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write a compressed .npz."""
        np.savez_compressed(path, stems=np.array(self.stems), per_image=self.matrices)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["stems"].tolist(), stored["per_image"])


@dataclass(frozen=True)
class PredictedLabels:
    """Predicted class indices of test images, each read when it is asked for."""

    path: Path

    @staticmethod
    def save(path: Path, predicted: Mapping[str, NDArray[np.uint8]]) -> None:
        """Write a compressed .npz: H×W by prefixed stem."""
        # a bare stem may be an argument of NumPy's function: file, allow_pickle
        arrays: dict[str, Any] = {f"{_PREFIX}{stem}": image for stem, image in predicted.items()}
        np.savez_compressed(path, **arrays)

    def __getitem__(self, stem: str) -> NDArray[np.uint8]:
        try:
            label: NDArray[np.uint8] = self._stored[f"{_PREFIX}{stem}"]
        except UNREADABLE as error:
            raise unreadable(self.path, error) from error
        return label

    @cached_property
    def _stored(self) -> "NpzFile":
        """The open file: to read its list of images takes as long as to read some of them."""
        stored: NpzFile = np.load(self.path, allow_pickle=False)
        return stored


def _no_confusions() -> ImageConfusions:
    return ImageConfusions([], np.zeros((0, 0, 0), np.int64))


class SegmentationScores(Scores):
    """Scores of one segmentation network, trained with one seed and tested on a method's images.

    The numbers are those of `segmentation.experiment.SegmentationResult`.

    conditions: how they were measured, as a sentence.
    protocol: conditions that comparable rows share.
    confusions: confusion matrices of the test images.
    predicted: class indices H×W by stem.
    """

    stage: ClassVar[Stage] = "segment"
    test: SegmentationPart
    day: SegmentationPart | None
    night: SegmentationPart | None
    best_epoch: int
    seed: int
    conditions: str
    protocol: dict[str, JsonValue]
    confusions: InstanceOf[ImageConfusions] = Field(
        default_factory=_no_confusions, exclude=True, repr=False
    )
    predicted: Any = Field(default_factory=dict, exclude=True, repr=False)

    @classmethod
    def of(cls, result: "SegmentationResult", conditions: str) -> Self:
        """The scores of a finished experiment."""
        others = {*cls.model_fields} - {"conditions", "confusions"}
        return cls(
            conditions=conditions,
            confusions=ImageConfusions(result.stems, result.per_image),
            **{name: getattr(result, name) for name in others},
        )

    @property
    def background_counts(self) -> bool:
        """Whether class 0 counts in the mean IoU."""
        data = self.protocol.get("data")
        return not isinstance(data, dict) or data.get("background") is not False

    def _save_files(self, folder: Path) -> None:
        self.confusions.save(folder / _FILE)
        PredictedLabels.save(folder / _LABELS, self.predicted)

    def _load_files(self, folder: Path) -> dict[str, object]:
        try:
            confusions = ImageConfusions.load(folder / _FILE)
        except UNREADABLE as error:
            raise unreadable(folder / _FILE, error) from error
        return {"confusions": confusions, "predicted": PredictedLabels(folder / _LABELS)}
