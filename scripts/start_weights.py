"""Trains the weights that the sample's detectors and segmentation encoders start from.

    python -m scripts.start_weights FOLDER

FOLDER keeps scenes and runs, so that a killed run resumes. The results are in
`detection/start_weights` and `segmentation/start_weights`. The scenes are drawn from another seed
than the sample's, so none is in its splits. Each scene is one image: visible, infrared, average or
maximum in turn, so that no row of the leaderboard starts from networks that know its images best.
"""

import shutil
from pathlib import Path

import typer
from safetensors.torch import load_file, save_file

from detection.config import DetectionConfig
from detection.experiment import BEST as DETECTOR
from detection.experiment import train_and_test as detect
from detection.workspace import build_workspace
from fusion import methods
from fusion.core.config import Config, RuntimeConfig
from fusion.images.prepared import PreparedSet
from fusion.inference.fuse import fuse_pairs
from pipelines.datasets.config import DatasetConfig, M3FDConfig, MSRSConfig
from pipelines.datasets.prepare import prepare
from pipelines.datasets.sample import generate
from pipelines.datasets.sample_config import SampleConfig
from pipelines.entry import guard
from segmentation.config import SegmentationConfig
from segmentation.experiment import train_and_test as segment
from segmentation.train import BEST as SEGMENTER

DETECTOR_START = Path("detection/start_weights/yolov5n-scenes.pt")
ENCODER_START = Path("segmentation/start_weights/regnetx_002-scenes.safetensors")

ROWS = ("visible", "infrared", "average", "maximum")
SCENES = SampleConfig(seed=1, msrs_train=800, msrs_test=80, m3fd=1200)

DETECTION = DetectionConfig(
    model="yolov5n",
    epochs=24,
    batch_size=8,
    nominal_batch_size=8,
    image_size=160,
    optimizer="AdamW",
    learning_rate=0.002,
    warmup_epochs=1.0,
    mosaic=0.0,
    workers=0,
)
SEGMENTATION = SegmentationConfig(
    encoder="tu-regnetx_002",
    options={
        "DeepLabV3Plus": {
            "encoder_depth": 4,
            "decoder_channels": 64,
            "decoder_atrous_rates": [2, 4, 6],
            "decoder_aspp_dropout": 0.1,
        }
    },
    epochs=60,
    crop=128,
    scale=[0.75, 1.5],
    learning_rate=0.1,
    validation_fraction=0.1,
    validate_every=6,
)
RUNTIME = RuntimeConfig(accelerator="cpu")


def main(folder: Path) -> None:
    """Generate scenes, train both networks, print their scores on test scenes."""
    source = folder / "scenes"
    if not source.is_dir():
        generate(source, SCENES)
    encoder(source / "MSRS", folder / "segment")
    detector(source / "M3FD", folder / "detect")


def detector(source: Path, folder: Path) -> None:
    """Train a detector; its backbone, neck and head are the start."""
    config = M3FDConfig(
        layout="m3fd",
        source=str(source),
        split="random",
        fractions=(0.9, 0.05, 0.05),
        fuse=["train", "val", "test"],
    )
    prepared = mixed(config, folder)
    workspace = build_workspace(folder / "images", prepared, folder / "yolo")
    result = detect(workspace, folder / "run", DETECTION, 0, RUNTIME)
    DETECTOR_START.parent.mkdir(exist_ok=True)
    shutil.copyfile(folder / "run" / DETECTOR, DETECTOR_START)
    print(f"{DETECTOR_START}: mAP@0.5 {result.map50:.3f}")


def encoder(source: Path, folder: Path) -> None:
    """Train a segmentation network; its encoder, in half precision, is the start."""
    config = MSRSConfig(layout="msrs", source=str(source), fuse=["train", "test"])
    prepared = mixed(config, folder)
    result = segment(folder / "images", prepared, folder / "run", SEGMENTATION, 0, RUNTIME)
    trained = load_file(folder / "run" / SEGMENTER)
    kept = {
        name.partition("encoder.")[2]: value.half() if value.is_floating_point() else value
        for name, value in trained.items()
        if "encoder." in name
    }
    ENCODER_START.parent.mkdir(exist_ok=True)
    save_file(kept, ENCODER_START)
    print(f"{ENCODER_START}: mIoU {result.test.miou:.3f}")


def mixed(config: DatasetConfig, folder: Path) -> Path:
    """Prepare scenes, and fuse each by one of `ROWS` in turn into `folder/images`."""
    prepared = folder / "prepared"
    if not prepared.is_dir():
        prepare("scenes", config, prepared, folder / "unused")
    dataset = PreparedSet.load(prepared)
    for split in dataset.splits:
        for turn, row in enumerate(ROWS):
            fuse_pairs(
                methods.get(row)(Config()),
                dataset.pairs(split)[turn :: len(ROWS)],
                folder / "images" / split,
                stretched=False,
                batch_size=8,
                runtime=RUNTIME,
            )
    return prepared


if __name__ == "__main__":
    guard(lambda: typer.run(main))
