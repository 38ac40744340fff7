"""Scores of the detect stage: average precision of one detector."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import ConfigDict, Field, InstanceOf, JsonValue

from detection.matches import Matches
from fusion.core.config import Config
from pipelines.scores.base import UNREADABLE, Scores, Stage, unreadable

if TYPE_CHECKING:
    from detection.experiment import DetectionResult

_FILE = "matches.npz"


class DetectionPart(Config):
    """A part of the test images; see `detection.experiment.Part`."""

    model_config = ConfigDict(from_attributes=True)

    map50: float | None
    ap50: dict[str, float | None]
    objects: dict[str, int]
    images: int


def _no_matches() -> Matches:
    none = np.zeros(0, np.int64)
    return Matches(
        [],
        np.zeros((0, 0), np.int64),
        none,
        none,
        none.astype(np.float32),
        none > 0,
        none.reshape(0, 4).astype(np.float32),
    )


class DetectionScores(Scores):
    """Scores of one detector, trained with one seed and tested on a method's images.

    The numbers are those of `detection.experiment.DetectionResult`.

    conditions: how they were measured, as a sentence.
    protocol: conditions that comparable rows share.
    matches: all detections on the test images.
    """

    stage: ClassVar[Stage] = "detect"
    map50: float
    map50_95: float
    ap50: dict[str, float | None]
    ap50_95: dict[str, float | None]
    objects: dict[str, int]
    day: DetectionPart | None
    night: DetectionPart | None
    best_epoch: int
    seed: int
    conditions: str
    protocol: dict[str, JsonValue]
    matches: InstanceOf[Matches] = Field(default_factory=_no_matches, exclude=True, repr=False)

    @classmethod
    def of(cls, result: "DetectionResult", conditions: str) -> Self:
        """The scores of a finished experiment."""
        measured = {name: getattr(result, name) for name in {*cls.model_fields} - {"conditions"}}
        return cls(conditions=conditions, **measured)

    def _save_files(self, folder: Path) -> None:
        self.matches.save(folder / _FILE)

    def _load_files(self, folder: Path) -> dict[str, object]:
        try:
            return {"matches": Matches.load(folder / _FILE)}
        except UNREADABLE as error:
            raise unreadable(folder / _FILE, error) from error
