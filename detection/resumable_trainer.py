"""Ultralytics' detection trainer with exact resumption of a killed run.

Imported only after `detection.offline.go_offline`.
"""

import io
import random
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from ultralytics.data.augment import Albumentations
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.torch_utils import strip_optimizer, unwrap_model

from detection.curve import Record, best_epoch
from detection.four_channels import load_first_filters, with_color
from fusion.core.errors import InputError
from fusion.core.snapshots import Snapshot, SnapshotFolder
from fusion.images.stacked import STACKED

_STATE, _BEST = "state.pt", "best.pt"

_CURVE = {
    "train/box_loss": "train_box_loss",
    "train/cls_loss": "train_class_loss",
    "val/box_loss": "val_box_loss",
    "val/cls_loss": "val_class_loss",
    "metrics/mAP50(B)": "val_map50",
    "metrics/mAP50-95(B)": "val_map50_95",
    "lr/pg0": "learning_rate",
}


class ResumableTrainer(DetectionTrainer):
    """Trains like its base class, and keeps the state for resumption in full precision.

    The base resumes from the averaged weights rounded to half precision and repeats the random
    numbers of the first epochs. Here all randomness is a function of seed and epoch (on a GPU also
    of the number of workers that load images), and each epoch's checkpoint holds the exact weights,
    averages and optimizer state, so that a resumed run ends with the numbers of an uninterrupted
    one. (If gradients are accumulated over several batches, those of an epoch's last, incomplete
    update are lost.) If albumentations is installed, the base class blurs and grays some images by
    default; this class does not. Anything that would differ between methods is an error: a batch
    that had to shrink, a loss that is not finite, or a mosaic of images that do not fit into memory
    (the base class would choose among recent ones).

    Args:
        checkpoints: where checkpoints are written; none by default.
        resume_from: the last checkpoint of the run to resume.
        arguments, options: passed to the base class.

    Attributes:
        curve: one entry per epoch: learning rate, losses, val mAP.
        best_weights: a checkpoint of ultralytics with the weights of the best epoch.
        finished: whether the last epoch is over.
    """

    # Set by the base during training; it declares them as the None that they are before.
    model: Any
    ema: Any
    optimizer: Any
    loss: Any
    fitness: Any
    best_fitness: Any

    def __init__(
        self,
        *arguments: Any,
        checkpoints: SnapshotFolder | None = None,
        resume_from: Snapshot | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.checkpoints = checkpoints
        self.curve: list[Record] = []
        self.best_weights = b""
        self.finished = False
        self._state: dict[str, Any] | None = None
        if resume_from is not None:
            stored = io.BytesIO(resume_from.contents[_STATE])
            self._state = torch.load(stored, map_location="cpu", weights_only=True)
            self.best_weights = resume_from.contents[_BEST]
            self.curve = self._state["curve"]
            self.finished = self._state["finished"]
        self.add_callback("on_train_epoch_start", lambda _: self._seed_epoch())

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        model = super().get_model(cfg, weights, verbose)
        if weights:
            load_first_filters(model, weights)
        return model

    def _setup_train(self) -> None:
        with redirect_stdout(io.StringIO()):  # the progress of caching heeds no verbosity
            super()._setup_train()  # type: ignore[no-untyped-call]
        if self.args.mosaic > 0 and self.train_loader.dataset.cache != "ram":
            raise InputError(
                "detection.mosaic",
                "the training images do not fit into free memory twice, as mosaic needs them to",
                "free memory, lower image_size, or set mosaic: 0",
            )

    def _build_train_pipeline(self) -> None:
        if self.optimizer is not None:
            raise InputError(
                "detection.batch_size",
                "does not fit into the memory of the device",
                "lower it, or image_size, for all methods",
            )
        super()._build_train_pipeline()  # type: ignore[no-untyped-call]

    def _seed_epoch(self) -> None:
        words = np.random.SeedSequence([self.args.seed, self.epoch]).generate_state(1)
        seed = int(words[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self.train_loader.generator.manual_seed(seed)
        augmentation = self.train_loader.dataset.transforms
        for step in augmentation.tolist():
            if isinstance(step, Albumentations):  # even an empty one draws random numbers
                step.transform = None
        if self.data["channels"] == STACKED:
            augmentation.transforms = [with_color(step) for step in augmentation.tolist()]
        self.train_loader.reset()

    def _close_dataloader_mosaic(self) -> None:
        super()._close_dataloader_mosaic()  # type: ignore[no-untyped-call]
        self._seed_epoch()

    def _handle_nan_recovery(self, epoch: int) -> bool:
        if not self.loss.isfinite():
            raise InputError(
                "detection.learning_rate",
                f"the loss is not finite any more in epoch {epoch + 1}",
                "lower the learning rate",
            )
        return False

    def save_metrics(self, metrics: dict[str, float]) -> None:
        shown = {_CURVE[key]: float(value) for key, value in metrics.items() if key in _CURVE}
        self.curve.append({"epoch": self.epoch + 1, **shown})

    def save_model(self) -> bool:
        """Keep the state, with the best weights so far, in one checkpoint."""
        if best_epoch(self.curve) == self.epoch + 1:
            super().save_model()  # type: ignore[no-untyped-call]
            self.best_weights = self.last.read_bytes()
            for file in (self.last, self.best):
                file.unlink(missing_ok=True)
        self.finished = bool(self.stop)
        state = {
            "epoch": self.epoch,
            "finished": self.finished,
            "curve": self.curve,
            "model": unwrap_model(self.model).state_dict(),
            "ema": self.ema.ema.state_dict(),
            "updates": self.ema.updates,
            "optimizer": self.optimizer.state_dict(),
            "best_fitness": float(self.best_fitness),
            "stopper": [float(self.stopper.best_fitness), int(self.stopper.best_epoch)],
        }
        if self.checkpoints is not None:
            stored = io.BytesIO()
            torch.save(state, stored)
            contents = {_STATE: stored.getvalue(), _BEST: self.best_weights}
            self.checkpoints.save(Snapshot(self.epoch + 1, contents))
        return True

    def resume_training(self, ckpt: dict[str, Any] | None) -> None:
        if self._state is not None:
            self.resume = True
            super().resume_training(self._state)  # type: ignore[no-untyped-call]

    def _load_checkpoint_state(self, ckpt: dict[str, Any]) -> None:
        unwrap_model(self.model).load_state_dict(ckpt["model"])
        self.ema.ema.load_state_dict(ckpt["ema"])
        self.ema.updates = ckpt["updates"]
        self.optimizer.load_state_dict(ckpt["optimizer"])
        self.best_fitness = ckpt["best_fitness"]
        self.stopper.best_fitness, self.stopper.best_epoch = ckpt["stopper"]

    def final_eval(self) -> None:
        """Do nothing: the best epoch has already been validated."""


def strip(weights: bytes) -> bytes:
    """A checkpoint of ultralytics without optimizer, Git facts, paths and date.

    Equal trainings then have files of equal bytes.

    Args:
        weights: verified file of `ResumableTrainer`, because it is unpickled.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / _BEST
        file.write_bytes(weights)
        content = strip_optimizer(file)
    content["git"] = None  # its origin may hold a password
    content["date"] = None
    content["train_args"] = _without_paths(content["train_args"])
    content["model"].args = _without_paths(content["model"].args)
    stripped = io.BytesIO()
    torch.save(content, stripped)
    return stripped.getvalue()


def _without_paths(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in arguments.items() if not Path(str(v)).is_absolute()}
