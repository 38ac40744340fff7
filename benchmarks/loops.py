"""Whole epochs of this project's detector and segmentation training against the libraries' own.

    python -m benchmarks.loops --image-size 320

Detection: an epoch (training, validation, saving) of `ResumableTrainer` against ultralytics'
`DetectionTrainer` with the same settings. Segmentation: a training epoch of `segmentation.train`
against the loop of segmentation-models-pytorch's examples: a `Dataset` that reads image files, a
`DataLoader` in this process, torchvision's transforms. Both sides train the same networks on the
same images and take turns; the fastest epoch of each counts. `ratio` is how many times as many
images a second this project trains on.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from benchmarks import machine
from benchmarks.downstream import make_data
from detection.config import DetectionConfig
from detection.offline import go_offline
from fusion.core.config import RuntimeConfig
from fusion.core.memory import keep_freed_memory
from fusion.core.runtime import pick_device
from pipelines import params
from segmentation.classes import IGNORE
from segmentation.config import SegmentationConfig


def main(
    images: int = 32,
    image_size: int = 320,
    epochs: int = 3,
    rounds: int = 2,
    settings: Path = Path("params.yaml"),
    out: Path | None = None,
) -> None:
    """Measure with the networks of SETTINGS; print the result as JSON (and write it to OUT)."""
    keep_freed_memory()
    chosen, runtime = params.load(settings), RuntimeConfig()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make_data(work, images, image_size)
        detection = chosen.detection.model_copy(update={"image_size": image_size, "epochs": epochs})
        crop = {"crop": image_size - image_size % 16, "epochs": epochs}
        segmentation = chosen.segmentation.model_copy(update=crop)
        result = {
            "machine": machine.describe(pick_device(runtime)),
            "image_size": image_size,
            "detection": in_turn(detection_epochs(work, detection, runtime), images, rounds),
            "segmentation": in_turn(
                segmentation_epochs(work, segmentation, runtime), images, rounds
            ),
        }
    text = json.dumps(result, indent=2)
    typer.echo(text)
    if out:
        out.write_text(text + "\n")


Run = Callable[[], list[float]]
"""Trains anew; returns the seconds of its epochs after the first."""


def in_turn(runs: dict[str, Run], images: int, rounds: int) -> dict[str, float]:
    """Images a second of both sides, and the ratio of ours to the library's."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].extend(run())
    library, ours = (min(seconds[name]) for name in ("library", "ours"))
    return {
        "library_images_per_second": round(images / library, 2),
        "our_images_per_second": round(images / ours, 2),
        "ratio": round(library / ours, 3),
    }


def detection_epochs(work: Path, config: DetectionConfig, runtime: RuntimeConfig) -> dict[str, Run]:
    """Both trainers with the same arguments."""
    go_offline(work / "ultralytics")
    from ultralytics.models.yolo.detect import DetectionTrainer

    from detection.resumable_trainer import ResumableTrainer
    from detection.train import training_arguments
    from detection.workspace import build_workspace

    workspace = build_workspace(work / "fused/m3fd", work / "m3fd", work / "yolo")

    def run(trainer_class: Any, name: str) -> list[float]:
        arguments = training_arguments(workspace.description, work / name, config, 0, runtime)
        trainer, marks = trainer_class(overrides=arguments), []
        trainer.add_callback("on_train_epoch_start", lambda _: marks.append(time.perf_counter()))
        trainer.train()
        return np.diff(marks)[1:].tolist()

    return {
        "library": lambda: run(DetectionTrainer, "library"),
        "ours": lambda: run(ResumableTrainer, "ours"),
    }


def segmentation_epochs(
    work: Path, config: SegmentationConfig, runtime: RuntimeConfig
) -> dict[str, Run]:
    """Both loops with the same network, loss and optimizer."""
    from segmentation.data import load
    from segmentation.models import build
    from segmentation.train import train_epoch

    images, dataset, device = work / "fused/msrs", work / "msrs", pick_device(runtime)
    data = load(images, dataset, "train")
    loader = DataLoader(
        Files(images, dataset, config), config.batch_size, shuffle=True, drop_last=True
    )

    def timed(epoch: Callable[[int], object]) -> list[float]:
        marks = [time.perf_counter()]
        for number in range(config.epochs):
            epoch(number)
            machine.synchronize(device)
            marks.append(time.perf_counter())
        return np.diff(marks)[1:].tolist()

    def new() -> tuple[Any, torch.optim.Optimizer]:
        model = build(config).to(device)
        return model, torch.optim.SGD(model.parameters(), config.learning_rate, config.momentum)

    def ours() -> list[float]:
        model, optimizer = new()
        return timed(lambda n: train_epoch(model, optimizer, data, config, 0, n, runtime))

    def library() -> list[float]:
        model, optimizer = new()
        return timed(lambda _: plain_epoch(model, optimizer, loader, config.loss, device))

    return {"library": library, "ours": ours}


class Files(Dataset[tuple[Tensor, Tensor]]):
    """Images and labels of the training split, read from their files each time."""

    def __init__(self, images: Path, dataset: Path, config: SegmentationConfig) -> None:
        self.images = sorted((images / "train").glob("*.png"))
        self.labels = [dataset / "train/labels" / path.name for path in self.images]
        self.transform = v2.Compose(
            [
                v2.RandomAffine(degrees=0, scale=tuple(config.scale)),
                v2.RandomCrop(
                    config.crop,
                    pad_if_needed=True,
                    fill={tv_tensors.Image: 0, tv_tensors.Mask: IGNORE},
                ),
                v2.RandomHorizontalFlip(),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        pixels = cv2.cvtColor(cv2.imread(str(self.images[index])), cv2.COLOR_BGR2RGB)
        label = cv2.imread(str(self.labels[index]), cv2.IMREAD_UNCHANGED)
        image, mask = self.transform(
            tv_tensors.Image(torch.from_numpy(pixels).movedim(-1, 0)),
            tv_tensors.Mask(torch.from_numpy(label)),
        )
        return image.float() / 255, mask.long()


def plain_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: "DataLoader[tuple[Tensor, Tensor]]",
    loss: str,
    device: torch.device,
) -> None:
    """An epoch as segmentation-models-pytorch's examples write it."""
    dice = smp.losses.DiceLoss("multiclass", ignore_index=IGNORE)
    model.train()
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        logits = model(images)
        total = F.cross_entropy(logits, labels, ignore_index=IGNORE)
        if loss == "ce+dice":
            total = total + dice(logits, labels)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()


if __name__ == "__main__":
    typer.run(main)
