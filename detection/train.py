"""Training a detector by ultralytics: from the settings to the best weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detection.config import DetectionConfig
from detection.protocol import used_precision
from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError
from fusion.core.files import write_bytes
from fusion.core.runtime import pick_device

Record = dict[str, float]
"""One epoch of the curve: epoch (from 1), learning rate, losses, val_map50, val_map50_95."""

_FINISHED, _IDENTITY = "finished.json", "identity.txt"
_HEADS = ("Detect", "v10Detect")


def check_model(config: DetectionConfig) -> None:
    """Refuse settings that name no detector; `detection.offline.prepare` ran before.

    Raises:
        InputError: the model is unknown, no detector, or of several sizes without one.
    """
    from ultralytics.nn.tasks import yaml_model_load

    remedy = "for example yolov5s, yolov8s, yolo11n"
    try:
        description = yaml_model_load(f"{config.model}.yaml")
    except FileNotFoundError as error:
        raise InputError(config.model, "is not a model of ultralytics", remedy) from error
    if description["head"][-1][2] not in _HEADS:
        raise InputError(config.model, "is not a YOLO box detector", remedy)
    sizes = description.get("scales", {})
    if len(sizes) > 1 and not description["scale"]:
        remedy = f"add one of {', '.join(sizes)} after the number, as in yolov8n"
        raise InputError(config.model, "does not say its size", remedy)


def fit(
    data: Path,
    run: Path,
    config: DetectionConfig,
    seed: int,
    runtime: RuntimeConfig,
    identity: str,
    log: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Train; the weights of the epoch with the best val mAP@0.5:0.95 are kept.

    A killed run with the same `identity` continues after its last whole epoch, a finished one is
    not redone, and anything else found in `run` is removed.

    Args:
        data: YAML file of the data set.
        run: folder; `weights/best.pt` in it is the result.
        config: the experiment's settings.
        seed: of weights, order and augmentation.
        runtime: where and how to compute.
        identity: identifies settings and data.
        log: called with each epoch's record, after its checkpoint is written; first with those of
            the run that is continued.

    Returns:
        The curve, one record for each epoch.

    Raises:
        InputError: the loss is not finite any more, or a batch does not fit into memory.
    """
    from detection import trainer

    marker, finished = run / _IDENTITY, run / _FINISHED
    if not marker.is_file() or marker.read_text() != identity:
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        write_bytes(marker, identity.encode())
    state = None if finished.is_file() else trainer.load_state(run)
    report = log or (lambda _: None)
    for record in json.loads(finished.read_text()) if finished.is_file() else _curve(state):
        report(record)
    if not finished.is_file():
        if state is None or not state["finished"]:
            training = trainer.ResumableTrainer(
                overrides=training_arguments(data, run, config, seed, runtime)
            )
            training.add_callback("on_fit_epoch_end", lambda _: report(training.curve[-1]))
            training.train()
            state = trainer.load_state(run)
        if state is None:
            raise RuntimeError(f"{run}: training ended without a checkpoint")
        write_bytes(finished, json.dumps(_curve(state)).encode())
    trainer.strip(run)
    curve: list[Record] = json.loads(finished.read_text())
    return curve


def best_epoch(curve: list[Record]) -> int:
    """The first epoch, counted from 1, with the highest val mAP@0.5:0.95."""
    return 1 + max(range(len(curve)), key=lambda index: curve[index]["val_map50_95"])


def _curve(state: dict[str, Any] | None) -> list[Record]:
    return state["curve"] if state else []


def training_arguments(
    data: Path, run: Path, config: DetectionConfig, seed: int, runtime: RuntimeConfig
) -> dict[str, Any]:
    """The settings in ultralytics' words; see `fit`."""
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
