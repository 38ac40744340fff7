import numpy as np
import pytest

from fusion.core.config import RuntimeConfig
from fusion.core.protocol import protocol_digest
from fusion.images.decode import write_image
from fusion.images.prepared import PreparedSet
from segmentation.config import SegmentationConfig
from segmentation.labels import CLASSES


@pytest.fixture
def cpu():
    return RuntimeConfig(accelerator="cpu")


@pytest.fixture
def tiny():
    """The smallest experiment that goes through every step."""
    return SegmentationConfig(
        encoder="tu-test_resnet",  # 0.1 M parameters, with BatchNorm
        options={"DeepLabV3Plus": {"decoder_channels": 16, "encoder_depth": 4}},
        epochs=4,
        batch_size=3,
        crop=32,
        learning_rate=0.05,
        validation_fraction=0.3,
        pictures=2,
    )


@pytest.fixture
def scenes(tmp_path):
    """A prepared data set of 7 + 4 pairs, classes readable from brightness, and its fused images.

    Returns (fused images, data set).
    """
    rng = np.random.default_rng(0)
    fused, dataset = tmp_path / "fused", tmp_path / "set"
    splits = {
        "train": [f"{i:05d}{'DN'[i % 2]}" for i in range(7)],
        "test": [f"{i:05d}{'DN'[i % 2]}" for i in range(4)],
    }
    for split, stems in splits.items():
        for index, stem in enumerate(stems):
            height, width = (37, 45) if index % 2 else (40, 48)  # neither is a multiple of 16
            label = np.kron(rng.integers(0, 4, (2, 2)), np.ones((20, 24)))
            label = label[:height, :width].astype(np.uint8)
            gray = (40 + 50 * label + rng.integers(0, 9, label.shape)).astype(np.uint8)
            color = np.dstack([gray, gray // 2, gray])
            for folder, pixels in (
                (fused / split, color if index else gray),
                (dataset / split / "vi", color),
                (dataset / split / "ir", gray),
                (dataset / split / "labels", label),
            ):
                folder.mkdir(parents=True, exist_ok=True)
                write_image(folder / f"{stem}.png", pixels)
    night = [stem for stems in splits.values() for stem in stems if stem.endswith("N")]
    prepared = PreparedSet(
        name="scenes",
        layout="msrs",
        classes=list(CLASSES),
        splits=splits,
        split_protocol="official",
        checksum=protocol_digest(splits),
        notes={},
        night=night,
    )
    prepared.save(dataset)
    return fused, dataset
