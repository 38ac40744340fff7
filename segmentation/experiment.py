"""A segmentation experiment for one method: load, train, test, draw."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fusion.core.code import code_digest
from fusion.core.config import RuntimeConfig
from fusion.core.protocol import protocol_digest
from fusion.core.runtime import pick_device, use_deterministic_algorithms
from fusion.images.panels import spread
from fusion.images.prepared import PreparedSet
from segmentation import train
from segmentation.classes import LabelClasses
from segmentation.config import SegmentationConfig
from segmentation.confusion import Matrices, Scores, scores
from segmentation.data import LabeledImages, hold_out, load
from segmentation.drawing import draw
from segmentation.evaluate import confusion_of, predictions
from segmentation.models import Segmenter, build, require_sizes
from segmentation.protocol import protocol
from segmentation.train import Record, best_epoch

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@dataclass(frozen=True)
class SegmentationResult:
    """Scores of one training run on the test set.

    Attributes:
        test: scores of the whole test set.
        day: scores of its day images; None without day images, or if day and night are unknown.
        night: scores of its night images, under the same conditions.
        best_epoch: the epoch whose weights were tested, from 1.
        curve: learning rate, loss and validation mIoU by epoch.
        protocol: conditions that comparable methods share; see `segmentation.protocol`.
        seed: the training seed.
        stems: names of the test images.
        per_image: confusion matrix of each test image, N×K×K; rows truth, columns prediction.
        predicted: class indices of each test image, H×W uint8 by stem.
        classes: the classes of the labels.
    """

    test: Scores
    day: Scores | None
    night: Scores | None
    best_epoch: int
    curve: list[Record]
    protocol: dict[str, Any]
    seed: int
    stems: list[str]
    per_image: Matrices
    predicted: dict[str, NDArray[np.uint8]]
    classes: LabelClasses


def train_and_test(
    images: Path,
    dataset: Path,
    work: Path,
    config: SegmentationConfig,
    seed: int,
    runtime: RuntimeConfig,
    *,
    pictures: Path | None = None,
    log: Callable[[Record], None] | None = None,
) -> SegmentationResult:
    """Train on a method's fused training images, test on its fused test images.

    A part of the training images, the same for every method and seed, chooses the checkpoint. The
    test images are used for the final scores only. The same arguments give the same numbers on
    the same machine; a killed run continues from `work`.

    Args:
        images: the method's fused or stacked images, `{train,test}/<stem>.png`.
        dataset: the prepared data set with labels.
        work: folder of the checkpoints; `best.safetensors` in it are the tested weights.
        config: the experiment's settings.
        seed: of initial weights, order, augmentation and dropout.
        runtime: where and how to compute.
        pictures: folder for `config.pictures` side-by-side pictures of test images.
        log: called with each epoch's record, starting with those of an interrupted run.

    Raises:
        InputError: bad settings or data; all inputs are checked before training starts.
    """
    training, validation = hold_out(
        load(images, dataset, "train"), config.validation_fraction, config.validation_seed
    )
    test = load(images, dataset, "test")
    prepared = PreparedSet.load(dataset)
    device = pick_device(runtime)
    with repeatable(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        model = build(config, len(test.classes), test.channels)
        sizes = [
            (label.shape[0], label.shape[1]) for part in (validation, test) for label in part.labels
        ]
        lowest, narrowest = min(sizes), min(sizes, key=lambda size: size[1])
        require_sizes(model, {(config.crop, config.crop), lowest, narrowest})
        splits = {"train": training, "val": validation, "test": test}
        shared = protocol(config, runtime, seed, prepared, splits)
        fingerprint = _fingerprint(protocol_digest(shared), model, training, validation)
        curve = train.fit(
            model, training, validation, config, seed, runtime, work, fingerprint, log
        )
        predicted = predictions(model, test, config.batch_size, runtime)
        per_image = confusion_of(predicted, test)
        if pictures:
            shown = test.subset(spread(range(len(test)), config.pictures))
            draw(dataset, shown, predicted, pictures)
    return SegmentationResult(
        test=scores(per_image, test.classes),
        day=_part(prepared.night, test, per_image, night=False),
        night=_part(prepared.night, test, per_image, night=True),
        best_epoch=best_epoch(curve),
        curve=curve,
        protocol=shared,
        seed=seed,
        stems=test.stems,
        per_image=per_image,
        predicted=predicted,
        classes=test.classes,
    )


@contextmanager
def repeatable() -> Iterator[None]:
    """Use deterministic algorithms within the block, where torch has them.

    On CUDA, the block must come before the first matrix product of the process, because CUDA
    chooses the workspace of matrix products once per process.
    """
    workspace = os.environ.get(_WORKSPACE)
    fill: Any = torch.utils.deterministic  # has no types
    before = torch.get_deterministic_debug_mode(), fill.fill_uninitialized_memory
    os.environ[_WORKSPACE] = ":4096:8"
    use_deterministic_algorithms()
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        fill.fill_uninitialized_memory = before[1]
        os.environ.pop(_WORKSPACE)
        if workspace is not None:
            os.environ[_WORKSPACE] = workspace


def _part(
    at_night: list[str] | None, test: LabeledImages, per_image: Matrices, night: bool
) -> Scores | None:
    if at_night is None:
        return None
    inside = np.isin(test.stems, at_night) == night
    return scores(per_image[inside], test.classes) if inside.any() else None


def _fingerprint(shared: str, model: Segmenter, *splits: LabeledImages) -> str:
    """Digest of all inputs of a training run, so that it resumes only from its own checkpoint."""
    digest = hashlib.sha256(f"{shared} {code_digest(Path(train.__file__))}".encode())
    for split in splits:
        digest.update("".join(split.image_digests).encode())
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
