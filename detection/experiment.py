"""A detection experiment for one method: train, choose the epoch on val, test once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection import train
from detection.config import DetectionConfig
from detection.curve import Record, best_epoch
from detection.drawing import draw
from detection.matches import THRESHOLDS, Matches, average_precision, precision_recall
from detection.offline import go_offline
from detection.protocol import protocol
from detection.weights import check_weights
from detection.workspace import Workspace
from fusion.core.code import code_digest
from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError
from fusion.core.protocol import protocol_digest
from fusion.core.runtime import pick_device
from fusion.images.panels import spread

if TYPE_CHECKING:
    from detection.validation import RecordingValidator

BEST = Path("train") / train.BEST
"""The tested weights, in the folder of a run."""


@dataclass(frozen=True)
class Part:
    """Scores of the run on a part of the test images.

    Attributes:
        map50: mean average precision at IoU 0.5 over the classes in the part; None without objects.
        ap50: average precision at IoU 0.5 by class; None where the part has no such object.
        objects: number of objects by class.
        images: number of images.
    """

    map50: float | None
    ap50: dict[str, float | None]
    objects: dict[str, int]
    images: int


@dataclass(frozen=True)
class DetectionResult:
    """Scores of one training run on the test split.

    Attributes:
        map50: mean average precision at IoU 0.5 over the classes in the test split.
        map50_95: the same, averaged over IoU 0.5, 0.55 … 0.95.
        ap50: average precision at IoU 0.5 by class; None where the test split has no such object.
        ap50_95: the same, averaged over the ten IoU.
        objects: number of objects in the test split by class.
        day: scores of its day images; None without day images, or if day and night are unknown.
        night: scores of its night images, under the same conditions.
        best_epoch: the epoch whose weights were tested, from 1.
        curve: learning rate, losses and val mAP by epoch.
        precision: at IoU 0.5, at each of `RECALLS`, by class with objects in the test split.
        confusion: (C + 1)² counts, rows predicted, columns actual, background last; detections
            of confidence above 0.25, matched from IoU 0.45 on.
        matches: every detection on every test image.
        protocol: conditions that comparable methods share; see `detection.protocol`.
        seed: the training seed.
    """

    map50: float
    map50_95: float
    ap50: dict[str, float | None]
    ap50_95: dict[str, float | None]
    objects: dict[str, int]
    day: Part | None
    night: Part | None
    best_epoch: int
    curve: list[Record]
    precision: dict[str, NDArray[np.float64]]
    confusion: NDArray[np.float64]
    matches: Matches
    protocol: dict[str, Any]
    seed: int


def train_and_test(
    workspace: Workspace,
    work: Path,
    config: DetectionConfig,
    seed: int,
    runtime: RuntimeConfig,
    *,
    pictures: Path | None = None,
    log: Callable[[Record], None] | None = None,
) -> DetectionResult:
    """Train a detector on fused images, choose the epoch on val, measure on test.

    The same arguments give the same numbers on the same machine. A killed run continues from
    `work` with the same result as an uninterrupted run, except for the gradients of an incomplete
    update if several batches make one. A finished run is tested without training again.

    Args:
        workspace: the images and their boxes; several seeds share one.
        work: folder of this run; `BEST` in it are the tested weights.
        config: the experiment's settings.
        seed: of weights, order and augmentation.
        runtime: where and how to compute.
        pictures: folder for `config.pictures` side-by-side pictures of test images.
        log: called with each epoch's record, starting with those of an interrupted run.

    Raises:
        InputError: bad settings, which are checked before training starts; or unreadable images.
    """
    work = work.resolve()
    go_offline(work / "ultralytics")
    check_weights(config, workspace.classes)
    shared = protocol(config, runtime, seed, workspace)
    code = code_digest(Path(train.__file__))
    # on a GPU, each worker that loads images has random numbers of its own
    content = f"{protocol_digest(shared)} {workspace.image_digest} {code} {config.workers}"
    identity = hashlib.sha256(content.encode()).hexdigest()
    run = work / "train"
    curve = train.fit(workspace.description, run, config, seed, runtime, identity, log)
    shown = spread(sorted(workspace.splits["test"]), config.pictures) if pictures else []
    validator = _tested(workspace, work, config, runtime, shown)
    if pictures:
        test = workspace.images / "test", workspace.dataset / "test"
        draw(*test, workspace.classes, validator.detections, pictures)
    return _result(workspace, validator, curve, shared, seed)


def _tested(
    workspace: Workspace,
    work: Path,
    config: DetectionConfig,
    runtime: RuntimeConfig,
    shown: list[str],
) -> "RecordingValidator":
    """The best weights' detections in all test images."""
    from detection.validation import RecordingValidator

    validator = RecordingValidator(
        save_dir=work / "test",
        shown=shown,
        args={
            "task": "detect",
            "mode": "val",
            "model": str(work / BEST),
            "data": str(workspace.description),
            "split": "test",
            "rect": True,
            "batch": config.batch_size,
            "imgsz": config.image_size,
            "device": str(pick_device(runtime)),
            "workers": config.workers,
            "plots": False,
            "verbose": False,
        },
    )
    validator(model=str(work / BEST))
    if validator.matches().stems != sorted(workspace.splits["test"]):
        raise InputError(workspace.description, "has unreadable test images", "fuse them again")
    return validator


def _result(
    workspace: Workspace,
    validator: "RecordingValidator",
    curve: list[Record],
    shared: dict[str, Any],
    seed: int,
) -> DetectionResult:
    matches = validator.matches()
    at_each = [average_precision(matches, threshold=index)[0] for index in range(len(THRESHOLDS))]
    return DetectionResult(
        map50=_mean(at_each[0]),
        map50_95=_mean(np.mean(at_each, axis=0)),
        ap50=_by_class(workspace.classes, at_each[0]),
        ap50_95=_by_class(workspace.classes, np.mean(at_each, axis=0)),
        objects=dict(zip(workspace.classes, matches.truth.sum(0).tolist(), strict=True)),
        day=_part(workspace, matches, night=False),
        night=_part(workspace, matches, night=True),
        best_epoch=best_epoch(curve),
        curve=curve,
        precision={
            name: values
            for name, values in zip(workspace.classes, precision_recall(matches), strict=True)
            if not np.isnan(values).any()
        },
        confusion=np.asarray(validator.confusion_matrix.matrix, np.float64),
        matches=matches,
        protocol=shared,
        seed=seed,
    )


def _part(workspace: Workspace, matches: Matches, night: bool) -> Part | None:
    if workspace.night is None:
        return None
    inside = np.isin(matches.stems, workspace.night) == night
    if not inside.any():
        return None
    precision = average_precision(matches, inside[None].astype(np.int64))[0]
    return Part(
        map50=None if np.isnan(precision).all() else _mean(precision),
        ap50=_by_class(workspace.classes, precision),
        objects=dict(zip(workspace.classes, matches.truth[inside].sum(0).tolist(), strict=True)),
        images=int(inside.sum()),
    )


def _mean(precision: NDArray[np.float64]) -> float:
    """Over the classes that have objects; 0 if none has."""
    return 0.0 if np.isnan(precision).all() else float(np.nanmean(precision))


def _by_class(classes: list[str], values: NDArray[np.float64]) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(classes, values, strict=True)
    }
