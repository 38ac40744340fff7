import cv2
import numpy as np
import pytest

from fusion.core.protocol import protocol_digest
from fusion.images.decode import write_image
from fusion.images.prepared import PreparedSet

SPLITS = {"train": range(12), "val": range(12, 16), "test": range(16, 20)}


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A prepared data set, `set`, of bright squares, with fused images, `fused`.

    Its second class has no object; 00016 of the test split is a negative image; 00016 and 00017
    are at night.
    """
    root = tmp_path_factory.mktemp("shapes")
    random = np.random.default_rng(0)
    names = {split: [f"{index:05d}" for index in numbers] for split, numbers in SPLITS.items()}
    for split, stems in names.items():
        folders = [root / "set" / split / kind for kind in ("ir", "vi", "labels")]
        for folder in (*folders, root / "fused" / split):
            folder.mkdir(parents=True)
        for stem in stems:
            image = random.integers(0, 40, (64, 64, 3), dtype=np.uint8)
            x, y = random.integers(16, 48, 2).tolist()
            label = ""
            if stem != "00016":
                cv2.rectangle(image, (x - 8, y - 8), (x + 8, y + 8), (250, 250, 250), -1)
                label = f"0 {x / 64} {y / 64} 0.25 0.25\n"
            write_image(root / "fused" / split / f"{stem}.png", image)
            write_image(root / "set" / split / "vi" / f"{stem}.png", image)
            write_image(root / "set" / split / "ir" / f"{stem}.png", image[..., 0].copy())
            (root / "set" / split / "labels" / f"{stem}.txt").write_text(label)
    prepared = PreparedSet(
        name="shapes",
        layout="boxes",
        classes=["square", "disc"],
        splits=names,
        split_protocol="random",
        checksum=protocol_digest(names),
        notes={},
        night=["00000", "00016", "00017"],
    )
    prepared.save(root / "set")
    return root
