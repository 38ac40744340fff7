"""Scores of the segment stage: mean intersection over union."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, InstanceOf, JsonValue

from fusion.core.config import Config
from fusion.core.protocol import of_repeats
from pipelines.scores.base import UNREADABLE, Scores, Stage, spread, unreadable

if TYPE_CHECKING:
    from segmentation.experiment import SegmentationResult


class SegmentationPart(Config):
    """A set of test images; see `segmentation.confusion.Scores`."""

    miou: float | None
    iou: dict[str, float | None]
    absent: list[str]
    pixel_accuracy: float | None
    pixels: dict[str, int]
    images: int


class SegmentationRun(Config):
    """One training seed; see `segmentation.experiment.SegmentationResult`."""

    test: SegmentationPart
    day: SegmentationPart | None
    night: SegmentationPart | None
    best_epoch: int
    seed: int


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
        """Write a compressed .npz: H×W by stem."""
        arrays: dict[str, Any] = dict(predicted)
        np.savez_compressed(path, **arrays)

    def __getitem__(self, stem: str) -> NDArray[np.uint8]:
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                label: NDArray[np.uint8] = stored[stem]
        except UNREADABLE as error:
            raise unreadable(self.path, error) from error
        return label


class SegmentationScores(Scores):
    """Scores of segmentation networks that were trained and tested on a method's images.

    miou: mean over the training seeds, those without a value left out; None if none has one.
    miou_sd: standard deviation over them; None for one value.
    seeds: every seed's own numbers.
    conditions: how they were measured, as a sentence.
    protocol: conditions that comparable rows share, and their digest.
    confusions: seed → confusion matrices of the test images.
    predicted: seed → predicted labels of the test images.
    """

    stage: ClassVar[Stage] = "segment"
    miou: float | None
    miou_sd: float | None
    seeds: dict[int, SegmentationRun]
    conditions: str
    protocol: dict[str, JsonValue]
    protocol_sha256: str
    confusions: dict[int, InstanceOf[ImageConfusions]] = Field(
        default_factory=dict, exclude=True, repr=False
    )

    predicted: dict[int, Any] = Field(default_factory=dict, exclude=True, repr=False)

    @classmethod
    def of(cls, results: Sequence["SegmentationResult"], conditions: str) -> Self:
        """Means, spreads and everything else of runs that differ in their seed alone."""
        values = [result.test.miou for result in results if result.test.miou is not None]
        runs = [SegmentationRun.model_validate(result, from_attributes=True) for result in results]
        return cls(
            miou=fmean(values) if values else None,
            miou_sd=spread(values),
            seeds={run.seed: run for run in runs},
            conditions=conditions,
            confusions={r.seed: ImageConfusions(r.stems, r.per_image) for r in results},
            predicted={result.seed: result.predicted for result in results},
            **of_repeats([result.protocol for result in results]),
        )

    def _save_files(self, folder: Path) -> None:
        for seed, confusions in self.confusions.items():
            confusions.save(folder / f"per-image-{seed}.npz")
        for seed, predicted in self.predicted.items():
            PredictedLabels.save(folder / f"labels-{seed}.npz", predicted)

    def _load_files(self, folder: Path) -> dict[str, object]:
        found = {}
        for seed in self.seeds:
            path = folder / f"per-image-{seed}.npz"
            try:
                found[seed] = ImageConfusions.load(path)
            except UNREADABLE as error:
                raise unreadable(path, error) from error
        predicted = {seed: PredictedLabels(folder / f"labels-{seed}.npz") for seed in self.seeds}
        return {"confusions": found, "predicted": predicted}
