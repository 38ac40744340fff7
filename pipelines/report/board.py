"""All scores of the leaderboard, each read once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fusion.core.protocol import Protocol
from pipelines.paths import SCORES
from pipelines.scores.base import Scores, Stage, score_folder
from pipelines.scores.detection import DetectionScores
from pipelines.scores.fusion import FusionScores
from pipelines.scores.segmentation import SegmentationScores

S = TypeVar("S", bound=Scores)


@dataclass(frozen=True)
class Board:
    """The scores of all rows of the leaderboard.

    Attributes:
        methods: the rows, in the order shown.
        fusion, detection, segmentation: data set -> method -> scores; rows without images of a
            data set are missing.
    """

    methods: Sequence[str]
    fusion: Mapping[str, Mapping[str, FusionScores]] = field(default_factory=dict)
    detection: Mapping[str, Mapping[str, DetectionScores]] = field(default_factory=dict)
    segmentation: Mapping[str, Mapping[str, SegmentationScores]] = field(default_factory=dict)

    def protocols(self) -> Iterator[tuple[Stage, str, dict[str, Protocol]]]:
        """Stage, data set, and method -> the conditions that comparable scores share."""
        for dataset, rows in self.fusion.items():
            yield "evaluate", dataset, {name: _protocol(row) for name, row in rows.items()}
        for dataset, found in self.detection.items():
            yield "detect", dataset, {name: row.protocol for name, row in found.items()}
        for dataset, labeled in self.segmentation.items():
            yield "segment", dataset, {name: row.protocol for name, row in labeled.items()}


def read_board(
    methods: Iterable[str],
    fuse_on: Sequence[str],
    detect_on: Sequence[str],
    segment_on: Sequence[str],
    has_images: Callable[[str, str], bool] = lambda *_: True,
    scores: Path = SCORES,
) -> Board:
    """Read the scores that the stages wrote.

    Args:
        methods: rows, in the order shown.
        fuse_on, detect_on, segment_on: data sets of each stage.
        has_images: (method, data set) -> whether the row has a score there.
        scores: the folder of all scores.

    Raises:
        InputError: a score is missing, damaged or of another version.
    """
    rows = list(methods)

    def read(kind: type[S], datasets: Sequence[str]) -> dict[str, dict[str, S]]:
        return {
            dataset: {
                method: kind.load(score_folder(kind.stage, method, dataset, scores))
                for method in rows
                if has_images(method, dataset)
            }
            for dataset in datasets
        }

    return Board(
        rows,
        read(FusionScores, fuse_on),
        read(DetectionScores, detect_on),
        read(SegmentationScores, segment_on),
    )


def _protocol(scores: FusionScores) -> Protocol:
    summary = scores.summary
    return {
        "protocol": summary.protocol,
        "images": summary.images,
        "stretch": scores.stretch,
    }
