"""Does loading keep up? Images a second of loading and of computing, detection and segmentation.

    python -m benchmarks.downstream --image-size 320

Generated scenes are prepared, their visible images stand for fused ones, and both trainers run as
the pipeline runs them. Loading is everything before a batch reaches the network (decoding is done
once and kept in memory; cropping, scaling and color changes are done for every batch).
`loading_share` is the part of the training time that is spent on it: 0 would be free.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import typer

from benchmarks import machine
from detection.config import DetectionConfig
from detection.offline import go_offline
from fusion.core.config import RuntimeConfig
from fusion.core.memory import keep_freed_memory
from fusion.core.runtime import pick_device
from pipelines import params
from pipelines.datasets.config import DatasetConfig
from pipelines.datasets.prepare import prepare
from pipelines.datasets.sample import generate
from pipelines.datasets.sample_config import SampleConfig
from segmentation.config import SegmentationConfig


def main(
    images: int = 32, image_size: int = 320, epochs: int = 3, settings: Path = Path("params.yaml")
) -> None:
    """Measure with the networks of SETTINGS on images of one size; print the result as JSON."""
    keep_freed_memory()
    chosen = params.load(settings)
    runtime = RuntimeConfig()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make_data(work, images, image_size)
        detection = chosen.detection.model_copy(update={"image_size": image_size, "epochs": epochs})
        segmentation = chosen.segmentation.model_copy(
            update={"crop": image_size - image_size % 16, "epochs": epochs}
        )
        result = {
            "machine": machine.describe(pick_device(runtime)),
            "image_size": image_size,
            "detection": measure_detection(work, detection, runtime),
            "segmentation": measure_segmentation(work, segmentation, runtime),
        }
    typer.echo(json.dumps(result, indent=2))


def make_data(work: Path, images: int, side: int) -> None:
    """Sample scenes, prepared under `work/<set>`."""
    height = 3 * side // 4
    config = SampleConfig(
        msrs_train=images, msrs_test=2, m3fd=2 * images, height=height, width=side
    )
    generate(work / "raw", config)
    m3fd = DatasetConfig(layout="m3fd", source=str(work / "raw/M3FD"), fractions=(0.5, 0.25, 0.25))
    prepare("m3fd", m3fd, work / "m3fd", work / "train/m3fd")
    msrs = DatasetConfig(layout="msrs", source=str(work / "raw/MSRS"))
    prepare("msrs", msrs, work / "msrs", work / "train/msrs")
    for dataset in ("m3fd", "msrs"):
        for split in (work / dataset).iterdir():
            if (split / "vi").is_dir():
                fused = work / "fused" / dataset / split.name
                fused.parent.mkdir(parents=True, exist_ok=True)
                fused.symlink_to(split / "vi")


def measure_detection(work: Path, config: DetectionConfig, runtime: RuntimeConfig) -> dict:
    """Time between batches and within them, of the last epoch."""
    go_offline(work / "ultralytics")
    from detection.resumable_trainer import ResumableTrainer
    from detection.train import training_arguments
    from detection.workspace import build_workspace

    workspace = build_workspace(work / "fused/m3fd", work / "m3fd", work / "yolo")
    trainer = ResumableTrainer(
        overrides=training_arguments(workspace.description, work / "run", config, 0, runtime)
    )
    marks: dict[str, list[float]] = {"start": [], "end": []}
    trainer.add_callback(
        "on_train_epoch_start",
        lambda _: (
            marks["start"].clear(),
            marks["end"].clear(),
            marks["end"].append(time.perf_counter()),
        ),
    )
    trainer.add_callback(
        "on_train_batch_start", lambda _: marks["start"].append(time.perf_counter())
    )
    trainer.add_callback("on_train_batch_end", lambda _: marks["end"].append(time.perf_counter()))
    trainer.train()
    starts, ends = np.array(marks["start"]), np.array(marks["end"])
    count = len(workspace.splits["train"])
    return rates(count, float((starts - ends[:-1]).sum()), float((ends[1:] - starts).sum()))


def measure_segmentation(work: Path, config: SegmentationConfig, runtime: RuntimeConfig) -> dict:
    """An epoch's batches without the network, against a whole epoch."""
    from segmentation.data import augmented_batch, load
    from segmentation.models import build
    from segmentation.train import train_epoch

    data, device = load(work / "fused/msrs", work / "msrs", "train"), pick_device(runtime)
    model = build(config).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.learning_rate)
    loading, whole = [], []
    for epoch in range(config.epochs):
        started = time.perf_counter()
        for first in range(0, len(data), config.batch_size):
            indices = list(range(first, min(first + config.batch_size, len(data))))
            rng = np.random.default_rng(first)
            augmented_batch(data, indices, config.crop, config.scale, rng, device)
        machine.synchronize(device)
        loading.append(time.perf_counter() - started)
        started = time.perf_counter()
        train_epoch(model, optimizer, data, config, 0, epoch, runtime)
        machine.synchronize(device)
        whole.append(time.perf_counter() - started)
    return rates(len(data), min(loading), min(whole) - min(loading))


def rates(images: int, loading: float, computing: float) -> dict[str, float]:
    """Images a second of either part, and loading's share of the time."""
    return {
        "loading_images_per_second": round(images / loading, 1),
        "computing_images_per_second": round(images / computing, 1),
        "loading_share": round(loading / (loading + computing), 4),
    }


if __name__ == "__main__":
    typer.run(main)
