"""The whole of segmentation for one method: load, train, test, draw."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fusion.runtime import RuntimeConfig, pick_device
from segmentation.config import SegmentationConfig
from segmentation.confusion import Matrices, Scores, scores
from segmentation.data import LabelledImages, hold_out, load
from segmentation.evaluate import per_image_confusion, predictions
from segmentation.models import Segmenter, build
from segmentation.msrs import CLASSES, is_night
from segmentation.pictures import chosen, draw
from segmentation.train import Record, best_epoch, fit


@dataclass(frozen=True)
class SegmentationResult:
    """What one training run reached on the test set.

    Attributes:
        test: scores of the whole test set.
        day: scores of its day images; None where there are none.
        night: scores of its night images; None where there are none.
        best_epoch: the epoch whose weights were tested, from 1.
        curve: learning rate, loss and validation mIoU by epoch.
        protocol: identifies all that methods must share to be compared: settings, seed, and the
            labels, names and split of the data.
        seed: the training seed.
        stems: names of the test images.
        per_image: confusion matrix of each test image, N×9×9; rows truth, columns prediction.
    """

    test: Scores
    day: Scores | None
    night: Scores | None
    best_epoch: int
    curve: list[Record]
    protocol: str
    seed: int
    stems: list[str]
    per_image: Matrices

    def summary(self) -> dict[str, Any]:
        """Everything but the curve and the single images, ready for JSON (None for NaN)."""
        return {
            **asdict(self.test),
            "day": asdict(self.day) if self.day else None,
            "night": asdict(self.night) if self.night else None,
            "classes": list(CLASSES),
            "confusion": self.per_image.sum(0).tolist(),
            "best_epoch": self.best_epoch,
            "protocol": self.protocol,
            "seed": self.seed,
        }

    def save_per_image(self, path: Path) -> None:
        """Write `stems` and `per_image` to a compressed .npz, what the bootstrap needs."""
        np.savez_compressed(path, stems=np.array(self.stems), per_image=self.per_image)


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

    A part of the training images, the same for every method and seed, chooses the checkpoint; the
    test images are read for the final numbers only. The same arguments give the same numbers on
    the same machine; a killed run continues from `work`.

    Args:
        images: the method's fused images, `{train,test}/<stem>.png`.
        dataset: the prepared data set with labels.
        work: folder of the checkpoints; `best.safetensors` in it are the tested weights.
        config: the experiment's settings; `config.seeds` is not read.
        seed: of initial weights, order, augmentation and dropout.
        runtime: where and how to compute.
        pictures: folder for `config.pictures` side-by-side pictures of test images.
        log: called with each epoch's record, first with those that a killed run had reached.

    Raises:
        InputError: bad settings or data; all inputs are checked before training starts.
    """
    training, validation = hold_out(
        load(images, dataset, "train"), config.validation_fraction, config.validation_seed
    )
    test = load(images, dataset, "test")
    device = pick_device(runtime)
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        torch.manual_seed(seed)
        model = build(config)
        protocol = _protocol(config, seed, training, validation, test)
        fingerprint = _fingerprint(protocol, model, training, validation)
        curve = fit(model, training, validation, config, seed, runtime, work, fingerprint, log)
        per_image = per_image_confusion(model, test, config.batch_size, runtime)
        if pictures:
            shown = test.subset(chosen(config.pictures, len(test)))
            predicted = predictions(model, shown, config.batch_size, runtime)
            draw(dataset, shown, predicted, pictures)
    return SegmentationResult(
        test=scores(per_image),
        day=_scores_at(False, test.stems, per_image),
        night=_scores_at(True, test.stems, per_image),
        best_epoch=best_epoch(curve),
        curve=curve,
        protocol=protocol,
        seed=seed,
        stems=test.stems,
        per_image=per_image,
    )


def _scores_at(night: bool, stems: list[str], per_image: Matrices) -> Scores | None:
    indices = [index for index, stem in enumerate(stems) if is_night(stem) is night]
    return scores(per_image[indices]) if indices else None


def _protocol(config: SegmentationConfig, seed: int, *splits: LabelledImages) -> str:
    """Digest of what must be equal for two methods' numbers to be comparable."""
    content = {
        "config": config.model_dump(mode="json", exclude={"seeds", "pictures"}),
        "seed": seed,
        "splits": [[split.stems, split.label_digests] for split in splits],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _fingerprint(protocol: str, model: Segmenter, *splits: LabelledImages) -> str:
    """Digest of all that a training run starts from, so that only its own checkpoint resumes."""
    digest = hashlib.sha256(protocol.encode())
    for split in splits:
        digest.update("".join(split.image_digests).encode())
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
