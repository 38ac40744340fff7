"""Training a detector by ultralytics: from the settings to the best weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detection.config import DetectionConfig
from detection.curve import Record
from detection.protocol import used_precision
from fusion.core.config import RuntimeConfig
from fusion.core.files import write_bytes
from fusion.core.runtime import pick_device
from fusion.core.snapshots import Snapshot, SnapshotFolder

BEST = Path("weights/best.pt")
"""The best weights, in the folder of a run."""

_CURVE = "curve.json"
"""The curve; only the last checkpoint of a finished run contains it."""


def fit(
    data: Path,
    run: Path,
    config: DetectionConfig,
    seed: int,
    runtime: RuntimeConfig,
    identity: str,
    log: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Train, and keep the weights of the epoch with the best val mAP@0.5:0.95.

    A killed run with the same `identity` continues after its last complete epoch, a finished run
    is not repeated, and anything else in `run` is removed. Checkpoints are verified first; if one
    is damaged, this is reported, and the previous checkpoint is used or the run starts over.

    Args:
        data: YAML file of the data set.
        run: folder; `BEST` in it is the result.
        config: the experiment's settings.
        seed: of weights, order and augmentation.
        runtime: where and how to compute.
        identity: identifies settings, data and code.
        log: called with each epoch's record after its checkpoint is written, starting with the
            records of the resumed run.

    Returns:
        The curve, one record for each epoch.

    Raises:
        InputError: the loss is not finite any more, or a batch does not fit into memory.
    """
    report = log or (lambda _: None)
    checkpoints = SnapshotFolder(run / "checkpoints", identity)
    found = checkpoints.latest()
    if found is None:
        shutil.rmtree(run, ignore_errors=True)
    if found is None or _CURVE not in found.contents:
        arguments = training_arguments(data, run, config, seed, runtime)
        found = _train(arguments, checkpoints, found, report)
    else:
        for record in json.loads(found.contents[_CURVE]):
            report(record)
    best, weights = run / BEST, found.contents[BEST.name]
    if not best.is_file() or best.read_bytes() != weights:
        best.parent.mkdir(exist_ok=True)
        write_bytes(best, weights)
    curve: list[Record] = json.loads(found.contents[_CURVE])
    return curve


def _train(
    arguments: dict[str, Any],
    checkpoints: SnapshotFolder,
    found: Snapshot | None,
    report: Callable[[Record], None],
) -> Snapshot:
    """Start or resume training; return the curve and the best weights."""
    from detection import resumable_trainer

    training = resumable_trainer.ResumableTrainer(
        overrides=arguments, checkpoints=checkpoints, resume_from=found
    )
    for record in training.curve:
        report(record)
    if not training.finished:
        training.add_callback("on_fit_epoch_end", lambda _: report(training.curve[-1]))
        training.train()  # type: ignore[no-untyped-call]
    weights = resumable_trainer.strip(training.best_weights)
    contents = {_CURVE: json.dumps(training.curve).encode(), BEST.name: weights}
    result = Snapshot(len(training.curve) + 1, contents)
    checkpoints.save(result, keep=1)
    return result


def training_arguments(
    data: Path, run: Path, config: DetectionConfig, seed: int, runtime: RuntimeConfig
) -> dict[str, Any]:
    """The settings as ultralytics names them; see `fit`."""
    return {
        "task": "detect",
        "mode": "train",
        "model": f"{config.model}.yaml",
        "pretrained": config.weights or False,
        "data": str(data),
        "project": str(run.parent),
        "name": run.name,
        "exist_ok": True,
        "epochs": config.epochs,
        "batch": config.batch_size,
        "imgsz": config.image_size,
        "optimizer": config.optimizer,
        "lr0": config.learning_rate,
        "lrf": config.final_learning_rate,
        "momentum": config.momentum,
        "weight_decay": config.weight_decay,
        "warmup_epochs": config.warmup_epochs,
        "warmup_bias_lr": config.warmup_bias_learning_rate,
        "nbs": config.nominal_batch_size,
        "patience": config.patience,
        "mosaic": config.mosaic,
        "close_mosaic": config.close_mosaic,
        "fliplr": config.flip,
        "scale": config.scale,
        "translate": config.translate,
        "hsv_h": config.hue,
        "hsv_s": config.saturation,
        "hsv_v": config.brightness,
        "cache": "ram",  # also: a mosaic chosen from recent images could not be resumed
        "workers": config.workers,
        "seed": seed,
        "deterministic": True,
        "device": str(pick_device(runtime)),
        "amp": "bf16" if used_precision(runtime) == "bf16-mixed" else False,
        "plots": False,
        "verbose": False,
    }
