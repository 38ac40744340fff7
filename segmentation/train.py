"""Training a segmenter: SGD, cosine schedule, best checkpoint by validation, resumable.

Device and precision use plain PyTorch, which suffices for one device and autocast; importing
Lightning takes longer than training on the sample.
"""

import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from segmentation_models_pytorch.losses import DiceLoss
from torch import Tensor

from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError
from fusion.core.files import write_bytes
from fusion.core.runtime import autocast, pick_device
from fusion.core.snapshots import Snapshot, SnapshotFolder
from segmentation.classes import IGNORE
from segmentation.config import SegmentationConfig
from segmentation.confusion import mean_iou
from segmentation.data import LabeledImages, augmented_batch
from segmentation.evaluate import per_image_confusion
from segmentation.models import Segmenter

Record = dict[str, float | int | None]
"""One epoch of the curve: epoch (from 1), learning_rate, loss, val_miou (None: not validated)."""

BEST = "best.safetensors"
"""The tested weights, in the folder of a run and in each of its checkpoints."""

_STATE, _CURVE = "state.pt", "curve.json"

_ORDER, _AUGMENTATION, _DROPOUT = range(3)  # independent streams of random numbers


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Half a cosine from `peak` (step 0) to 1 % of it (the last step)."""
    progress = step / max(1, steps - 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def segmentation_loss(logits: Tensor, labels: Tensor, kind: str) -> Tensor:
    """Cross-entropy ("ce"), or that plus the Dice loss ("ce+dice"); no class weights.

    Args:
        logits: B×K×H×W.
        labels: B×H×W int64; pixels of value `IGNORE` do not count.
        kind: "ce" or "ce+dice".
    """
    if logits.device.type == "cuda":  # the two-dimensional loss has no deterministic backward pass
        flat = logits.movedim(1, -1).flatten(0, -2)
        loss = F.cross_entropy(flat, labels.flatten(), ignore_index=IGNORE)
    else:  # where flattening costs a seventh of an update
        loss = F.cross_entropy(logits, labels, ignore_index=IGNORE)
    if kind == "ce+dice":
        loss = loss + DiceLoss("multiclass", ignore_index=IGNORE)(logits, labels)
    return loss


def fit(
    model: Segmenter,
    training: LabeledImages,
    validation: LabeledImages,
    config: SegmentationConfig,
    seed: int,
    runtime: RuntimeConfig,
    work: Path,
    fingerprint: str,
    log: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Train `model` in place; it ends with the weights of the best validated epoch.

    Every `validate_every` epochs, and after the last, the model is validated, and a checkpoint is
    written to `work/checkpoints`. A run with the same `fingerprint` resumes there, with the same
    result as an uninterrupted run: all randomness is a function of the seed, the epoch and the
    step. Checkpoints are verified when they are read; if one is damaged, this is reported and the
    previous one is used. Checkpoints of another fingerprint are removed.

    Args:
        model: result of `segmentation.models.build`, on any device.
        training: images to learn from.
        validation: images that choose the checkpoint by mIoU.
        config: the experiment's settings.
        seed: of order, augmentation and dropout.
        runtime: where and how to compute.
        work: folder of the run; `BEST` in it are the weights that the model ends with.
        fingerprint: identifies settings and data; see `segmentation.experiment`.
        log: called with each epoch's record after its checkpoint is written, starting with the
            records of the resumed run.

    Returns:
        The curve, one record for each epoch.

    Raises:
        InputError: the loss is not finite any more.
    """
    device = pick_device(runtime)
    model.to(device)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    checkpoints = SnapshotFolder(work / "checkpoints", fingerprint)
    found = checkpoints.latest()
    curve: list[Record] = []
    weights = b""
    if found is None:
        shutil.rmtree(checkpoints.path, ignore_errors=True)
    else:
        curve, weights = _resume(found, model, optimizer, device)
    best = max((_validated(record) for record in curve), default=-1.0)
    if log:
        for record in curve:
            log(record)
    for epoch in range(len(curve), config.epochs):
        model.freeze_encoder(epoch < config.frozen_epochs)
        record = train_epoch(model, optimizer, training, config, seed, epoch, runtime)
        curve.append(record)
        if (epoch + 1) % config.validate_every == 0 or epoch + 1 == config.epochs:
            matrices = per_image_confusion(model, validation, config.batch_size, runtime)
            record["val_miou"] = float(mean_iou(matrices.sum(0), validation.classes.background))
            if _validated(record) > best:
                best = _validated(record)
                weights = save(_on_cpu(model.state_dict()), {"epoch": str(epoch + 1)})
            checkpoints.save(_snapshot(model, optimizer, curve, weights))
        if log:
            log(record)
    model.load_state_dict(load(weights))
    write_bytes(work / BEST, weights)
    return curve


def best_epoch(curve: list[Record]) -> int:
    """The first epoch, counted from 1, with the highest validation mIoU."""
    return 1 + max(range(len(curve)), key=lambda index: _validated(curve[index]))


def _validated(record: Record) -> float:
    """Validation mIoU; −1 if not measured, 0 if no class that counts is in the validation part."""
    miou = record["val_miou"]
    if miou is None:
        return -1.0
    return 0.0 if math.isnan(miou) else miou


def train_epoch(
    model: Segmenter,
    optimizer: torch.optim.Optimizer,
    data: LabeledImages,
    config: SegmentationConfig,
    seed: int,
    epoch: int,
    runtime: RuntimeConfig,
) -> Record:
    """One pass over the training images; see `fit`."""
    device = pick_device(runtime)
    model.train()
    torch.manual_seed(int(np.random.default_rng((seed, _DROPOUT, epoch)).integers(2**63)))
    per_epoch = math.ceil(len(data) / config.batch_size)
    order = np.random.default_rng((seed, _ORDER, epoch)).permutation(len(data))
    # The last batch is filled from the start of the order: BatchNorm cannot take a batch of one.
    order = np.resize(order, per_epoch * config.batch_size)
    total, rate = torch.zeros((), device=device), 0.0
    for step, indices in enumerate(order.reshape(per_epoch, -1), epoch * per_epoch):
        rate = learning_rate(step, config.epochs * per_epoch, config.learning_rate)
        optimizer.param_groups[0]["lr"] = rate
        rng = np.random.default_rng((seed, _AUGMENTATION, step))
        images, labels = augmented_batch(
            data, indices.tolist(), config.crop, config.scale, rng, device
        )
        with autocast(runtime, device):
            logits = model(images)
        loss = segmentation_loss(logits, labels, config.loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
    mean = total.item() / per_epoch
    if not math.isfinite(mean):
        raise InputError(
            f"segmentation epoch {epoch + 1}",
            f"the loss is {mean}",
            f"lower the learning rate ({config.learning_rate})",
        )
    return {"epoch": epoch + 1, "learning_rate": rate, "loss": mean, "val_miou": None}


def _snapshot(
    model: Segmenter, optimizer: torch.optim.Optimizer, curve: list[Record], weights: bytes
) -> Snapshot:
    state = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, state)
    contents = {_STATE: state.getvalue(), _CURVE: json.dumps(curve).encode(), BEST: weights}
    return Snapshot(len(curve), contents)


def _resume(
    found: Snapshot, model: Segmenter, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[list[Record], bytes]:
    """Restore model and optimizer; return the curve so far and the best weights."""
    state = torch.load(io.BytesIO(found.contents[_STATE]), map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return json.loads(found.contents[_CURVE]), found.contents[BEST]


def _on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.cpu().contiguous() for name, value in state.items()}
