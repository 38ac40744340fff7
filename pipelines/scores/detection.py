"""Scores of the detect stage: mean average precision."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, InstanceOf, JsonValue

from detection.matches import Matches
from fusion.core.config import Config
from fusion.core.protocol import of_repeats
from pipelines.scores.base import UNREADABLE, Scores, Stage, spread, unreadable

if TYPE_CHECKING:
    from detection.experiment import DetectionResult


class DetectionPart(Config):
    """A part of the test images; see `detection.experiment.Part`."""

    map50: float | None
    ap50: dict[str, float | None]
    objects: dict[str, int]
    images: int


class DetectionRun(Config):
    """One training seed; see `detection.experiment.DetectionResult`."""

    map50: float
    map50_95: float
    ap50: dict[str, float | None]
    ap50_95: dict[str, float | None]
    objects: dict[str, int]
    day: DetectionPart | None
    night: DetectionPart | None
    best_epoch: int
    seed: int


class DetectionScores(Scores):
    """Scores of detectors that were trained and tested on a method's images.

    map50, map50_95: means over the training seeds.
    map50_sd, map50_95_sd: standard deviations over them; None for one seed.
    seeds: every seed's own numbers.
    conditions: how they were measured, as a sentence.
    protocol: conditions that comparable rows share, and their digest.
    matches: seed → all detections on the test images.
    """

    stage: ClassVar[Stage] = "detect"
    map50: float
    map50_95: float
    map50_sd: float | None
    map50_95_sd: float | None
    seeds: dict[int, DetectionRun]
    conditions: str
    protocol: dict[str, JsonValue]
    protocol_sha256: str
    matches: dict[int, InstanceOf[Matches]] = Field(default_factory=dict, exclude=True, repr=False)

    @classmethod
    def of(cls, results: Sequence["DetectionResult"], conditions: str) -> Self:
        """Means, spreads and everything else of runs that differ in their seed alone."""
        coarse, fine = ([getattr(r, name) for r in results] for name in ("map50", "map50_95"))
        runs = [DetectionRun.model_validate(result, from_attributes=True) for result in results]
        return cls(
            map50=fmean(coarse),
            map50_95=fmean(fine),
            map50_sd=spread(coarse),
            map50_95_sd=spread(fine),
            seeds={run.seed: run for run in runs},
            conditions=conditions,
            matches={result.seed: result.matches for result in results},
            **of_repeats([result.protocol for result in results]),
        )

    def _save_files(self, folder: Path) -> None:
        for seed, matches in self.matches.items():
            matches.save(folder / f"matches-{seed}.npz")

    def _load_files(self, folder: Path) -> dict[str, object]:
        found = {}
        for seed in self.seeds:
            path = folder / f"matches-{seed}.npz"
            try:
                found[seed] = Matches.load(path)
            except UNREADABLE as error:
                raise unreadable(path, error) from error
        return {"matches": found}
