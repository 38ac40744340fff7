import numpy as np
import pytest

from fusion.images.decode import write_image


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory):
    """A function that makes a folder of `count` random pairs of different sizes."""

    def make(count=5, seed=0, smallest=24):
        folder = tmp_path_factory.mktemp("pairs")
        generator = np.random.default_rng(seed)
        for kind in ("ir", "vi"):
            (folder / kind).mkdir()
        for index in range(count):
            size = generator.integers(smallest, smallest + 12, 2)
            infrared = generator.integers(0, 256, size, dtype=np.uint8)
            color = () if index == 1 else (3,)
            visible = generator.integers(0, 256, (*size, *color), dtype=np.uint8)
            write_image(folder / "ir" / f"{index:02d}.png", infrared)
            write_image(folder / "vi" / f"{index:02d}.png", visible)
        return folder

    return make
