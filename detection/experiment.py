"""The whole of detection for one method: train, choose on val, test, once."""

import csv
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.config import DetectionConfig
from detection.offline import yolo
from detection.workspace import build_workspace, content_digest
from fusion.images import InputError
from fusion.runtime import RuntimeConfig, pick_device


@dataclass(frozen=True)
class DetectionResult:
    """What one training run reached on the test split.

    map50, map50_95: mean average precision at IoU 0.5, and averaged over 0.5 … 0.95.
    ap50: average precision at IoU 0.5 by class; None where the test split has no such object.
    protocol: digest of all that methods must share to be compared.
    curve: one entry an epoch: losses and val mAP.
    recall, precision: the mean precision-recall curve at IoU 0.5.
    confusion: (classes + 1)², rows predicted, columns actual, background last; at ultralytics'
        confidence and IoU thresholds.
    """

    map50: float
    map50_95: float
    ap50: dict[str, float | None]
    seed: int
    protocol: str
    curve: list[dict[str, float]]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    confusion: NDArray[np.float64]


def train_and_test(
    images: Path,
    dataset: Path,
    work: Path,
    config: DetectionConfig,
    seed: int,
    runtime: RuntimeConfig,
) -> DetectionResult:
    """Train a detector on fused images, choose the epoch on val, measure on test.

    A killed run continues from its last epoch; a finished one is not redone.

    Args:
        images: fused images, `<split>/<stem>.png`.
        dataset: the prepared data set.
        work: folder of this run; `train/weights/best.pt` in it are the tested weights.
        config: the experiment; `config.seeds` is not read.
        seed: of weights, order and augmentation.
        runtime: which device.

    Raises:
        InputError: images or weights are missing.
    """
    work = work.resolve()
    model_class = yolo(work.parent / "ultralytics")
    data = build_workspace(images, dataset, work / "data")
    protocol = _protocol(config, dataset, seed)
    identity = hashlib.sha256(f"{protocol} {content_digest(work / 'data')}".encode()).hexdigest()
    _train(model_class, data, work, config, seed, runtime, identity)
    return _test(model_class, data, work, config, seed, runtime, protocol)


def _protocol(config: DetectionConfig, dataset: Path, seed: int) -> str:
    facts = json.loads((dataset / "dataset.json").read_text())
    content = [config.model_dump(exclude={"seeds", "pictures", "workers"}), facts["checksum"], seed]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _train(
    model_class: Any,
    data: Path,
    work: Path,
    config: DetectionConfig,
    seed: int,
    runtime: RuntimeConfig,
    identity: str,
) -> None:
    run, marker = work / "train", work / "identity.txt"
    if not marker.is_file() or marker.read_text() != identity:
        shutil.rmtree(run, ignore_errors=True)
        marker.write_text(identity)
    last, finished = run / "weights" / "last.pt", work / "finished.txt"
    if finished.is_file() and finished.read_text() == identity:
        return
    if last.is_file():
        model_class(str(last)).train(resume=True)
    else:
        _build(model_class, config).train(
            data=str(data),
            epochs=config.epochs,
            batch=config.batch_size,
            imgsz=config.image_size,
            optimizer="SGD",
            lr0=config.learning_rate,
            lrf=config.final_learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            warmup_epochs=config.warmup_epochs,
            nbs=config.nominal_batch_size,
            mosaic=config.mosaic,
            workers=config.workers,
            patience=config.epochs,
            seed=seed,
            deterministic=True,
            device=str(pick_device(runtime)),
            amp=False,
            plots=False,
            verbose=False,
            project=str(work),
            name="train",
            exist_ok=True,
        )
    finished.write_text(identity)


def _build(model_class: Any, config: DetectionConfig) -> Any:
    try:
        model = model_class(f"{config.model}.yaml", task="detect", verbose=False)
    except FileNotFoundError as error:
        raise InputError(
            config.model, "is not a model of ultralytics", "for example yolov5s, yolov8n, yolo11n"
        ) from error
    if config.weights is None:
        return model
    if not Path(config.weights).is_file():
        raise InputError(config.weights, "is missing", "give a local weight file, or null")
    return model.load(config.weights)


def _test(
    model_class: Any,
    data: Path,
    work: Path,
    config: DetectionConfig,
    seed: int,
    runtime: RuntimeConfig,
    protocol: str,
) -> DetectionResult:
    from detection.validation import ConfusionValidator

    metrics = model_class(str(work / "train" / "weights" / "best.pt")).val(
        validator=ConfusionValidator,
        data=str(data),
        split="test",
        batch=config.batch_size,
        imgsz=config.image_size,
        device=str(pick_device(runtime)),
        workers=config.workers,
        plots=False,
        verbose=False,
        project=str(work),
        name="test",
        exist_ok=True,
    )
    box, names = metrics.box, metrics.names
    found = dict(zip(box.ap_class_index.tolist(), box.ap50.tolist(), strict=True))
    return DetectionResult(
        map50=float(box.map50),
        map50_95=float(box.map),
        ap50={name: found.get(index) for index, name in names.items()},
        seed=seed,
        protocol=protocol,
        curve=_curve(work / "train" / "results.csv"),
        recall=np.asarray(box.px, np.float64),
        precision=np.asarray(box.prec_values, np.float64).mean(0),
        confusion=np.asarray(metrics.confusion_matrix.matrix, np.float64),
    )


def _curve(file: Path) -> list[dict[str, float]]:
    """ultralytics' table of epochs: losses on train and val, metrics on val."""
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    wanted = {
        "epoch": "epoch",
        "train/box_loss": "train_box_loss",
        "train/cls_loss": "train_class_loss",
        "val/box_loss": "val_box_loss",
        "val/cls_loss": "val_class_loss",
        "metrics/mAP50(B)": "val_map50",
        "metrics/mAP50-95(B)": "val_map50_95",
    }
    stripped = [{key.strip(): value for key, value in row.items()} for row in rows]
    return [{new: float(row[old]) for old, new in wanted.items()} for row in stripped]
