"""All scores of the leaderboard, each read once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from fusion.core.protocol import Protocol
from pipelines.params import Params
from pipelines.paths import SCORES
from pipelines.scores.base import Scores, Stage, score_folder
from pipelines.scores.detection import DetectionScores
from pipelines.scores.fusion import FusionScores
from pipelines.scores.segmentation import SegmentationScores

S = TypeVar("S", bound=Scores)


class Run(NamedTuple):
    """One run of a stage that measures; `seed` is the training seed, where the stage has one."""

    method: str
    seed: int | None = None

    def __str__(self) -> str:
        return self.method if self.seed is None else f"{self.method} (seed {self.seed})"


@dataclass(frozen=True)
class Board:
    """The scores of all rows of the leaderboard.

    Attributes:
        methods: the rows, in the order shown.
        fusion: data set -> method -> scores; rows without images of a data set are missing.
        detection, segmentation: data set -> method -> training seed -> scores.
    """

    methods: Sequence[str]
    fusion: Mapping[str, Mapping[str, FusionScores]] = field(default_factory=dict)
    detection: Mapping[str, Mapping[str, Mapping[int, DetectionScores]]] = field(
        default_factory=dict
    )
    segmentation: Mapping[str, Mapping[str, Mapping[int, SegmentationScores]]] = field(
        default_factory=dict
    )

    def protocols(self) -> Iterator[tuple[Stage, str, dict[Run, Protocol]]]:
        """Stage, data set, and run -> the conditions that comparable scores share."""
        for dataset, rows in self.fusion.items():
            yield "evaluate", dataset, {Run(name): _protocol(row) for name, row in rows.items()}
        for dataset, found in self.detection.items():
            yield "detect", dataset, _conditions(found)
        for dataset, labeled in self.segmentation.items():
            yield "segment", dataset, _conditions(labeled)


def board_of(settings: Params) -> Board:
    """Read the scores of everything that params.yaml measures.

    Raises:
        InputError: as `read_board`.
    """
    return read_board(
        settings.methods,
        settings.fuse_on,
        settings.detect_on,
        settings.segment_on,
        settings.detect_seeds,
        settings.segment_seeds,
        settings.has_images,
    )


def read_board(
    methods: Iterable[str],
    fuse_on: Sequence[str],
    detect_on: Sequence[str],
    segment_on: Sequence[str],
    detect_seeds: Sequence[int],
    segment_seeds: Sequence[int],
    has_images: Callable[[str, str], bool] = lambda *_: True,
    scores: Path = SCORES,
) -> Board:
    """Read the scores that the stages wrote.

    Args:
        methods: rows, in the order shown.
        fuse_on, detect_on, segment_on: data sets of each stage.
        detect_seeds, segment_seeds: training seeds of each stage.
        has_images: (method, data set) -> whether the row has a score there.
        scores: the folder of all scores.

    Raises:
        InputError: a score is missing, damaged or of another version.
    """
    rows = list(methods)

    def read(kind: type[S], method: str, dataset: str, seed: int | None = None) -> S:
        return kind.load(score_folder(kind.stage, method, dataset, scores, seed))

    def trained(
        kind: type[S], datasets: Sequence[str], seeds: Sequence[int]
    ) -> dict[str, dict[str, dict[int, S]]]:
        return {
            dataset: {
                method: {seed: read(kind, method, dataset, seed) for seed in seeds}
                for method in rows
            }
            for dataset in datasets
        }

    fusion = {
        dataset: {
            method: read(FusionScores, method, dataset)
            for method in rows
            if has_images(method, dataset)
        }
        for dataset in fuse_on
    }
    detection = trained(DetectionScores, detect_on, detect_seeds)
    return Board(rows, fusion, detection, trained(SegmentationScores, segment_on, segment_seeds))


def _conditions(
    rows: Mapping[str, Mapping[int, DetectionScores | SegmentationScores]],
) -> dict[Run, Protocol]:
    """The protocol of every run without its seed, in which runs differ."""
    return {
        Run(method, seed): {name: fact for name, fact in run.protocol.items() if name != "seed"}
        for method, runs in rows.items()
        for seed, run in runs.items()
    }


def _protocol(scores: FusionScores) -> Protocol:
    summary = scores.summary
    return {
        "protocol": summary.protocol,
        "images": summary.images,
        "stretch": scores.stretch,
    }
