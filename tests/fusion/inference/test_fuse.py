import cv2
import numpy as np
import pytest
import torch

from fusion.core.config import Config, RuntimeConfig
from fusion.core.errors import InputError
from fusion.images.batching import batches_of_one_size
from fusion.images.decode import image_size, read_infrared, read_visible, write_image
from fusion.images.pairs import find_pairs
from fusion.inference.fuse import fuse_pairs
from fusion.methods import get
from fusion.methods.base import FusionMethod

RUNTIME = RuntimeConfig(accelerator="cpu")


@pytest.fixture(scope="module")
def folder(pair_folder):
    return pair_folder(7)


def fuse(method, folder, output, *, stretched=False, batch_size=3):
    if isinstance(method, str):
        method = get(method)(Config())
    pairs = find_pairs(folder / "ir", folder / "vi")
    fuse_pairs(method, pairs, output, stretched=stretched, batch_size=batch_size, runtime=RUNTIME)
    return {pair.name: read_visible(output / f"{pair.name}.png").pixels for pair in pairs}


def test_visible_is_reproduced_to_the_byte_color_included(folder, tmp_path):
    for name, pixels in fuse("visible", folder, tmp_path).items():
        assert np.array_equal(pixels, read_visible(folder / "vi" / f"{name}.png").pixels)


def test_infrared_takes_no_color_from_visible(folder, tmp_path):
    for name, pixels in fuse("infrared", folder, tmp_path).items():
        expected = cv2.imread(str(folder / "ir" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(pixels, expected)


@pytest.mark.parametrize(
    ("method", "rule"), [("average", lambda i, v: (i + v) / 2), ("maximum", np.maximum)]
)
def test_baselines_fuse_luminance_pixel_by_pixel(folder, tmp_path, method, rule):
    fused = fuse(method, folder, tmp_path)["01"]  # the gray pair: luminance is the image
    infrared = cv2.imread(str(folder / "ir/01.png"), cv2.IMREAD_GRAYSCALE).astype(float)
    visible = cv2.imread(str(folder / "vi/01.png"), cv2.IMREAD_GRAYSCALE).astype(float)
    assert fused.ndim == 2
    assert np.abs(fused - rule(infrared, visible)).max() <= 0.5 + 1e-3


def test_batches_change_nothing(folder, tmp_path):
    one = fuse("maximum", folder, tmp_path / "one", batch_size=1)
    many = fuse("maximum", folder, tmp_path / "many", batch_size=4)
    assert all(np.array_equal(one[name], many[name]) for name in one)


def test_stretch_is_the_same_switch_for_every_method(folder, tmp_path):
    for method in ("infrared", "average"):
        fused = fuse(method, folder, tmp_path / method, stretched=True)["01"]
        assert (fused.min(), fused.max()) == (0, 255)


class Broken(FusionMethod):
    """Gives one value everywhere."""

    def __init__(self, value):
        super().__init__(Config())
        self.value = value

    def forward(self, infrared, visible):
        return torch.full_like(infrared, self.value)


@pytest.mark.parametrize(("value", "message"), [(float("nan"), "undefined values"), (0.4, "flat")])
def test_undefined_or_flat_results_are_an_error(tmp_path, value, message):
    for kind in ("ir", "vi"):
        (tmp_path / kind).mkdir()
        noise = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
        write_image(tmp_path / kind / "a.png", noise)
    with pytest.raises(InputError, match=f"a.png.*{message}"):
        fuse(Broken(value), tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("method", "flat"), [("maximum", "ir"), ("infrared", "ir"), ("visible", "vi")]
)
def test_a_flat_source_may_give_a_flat_image(tmp_path, method, flat):
    for kind in ("ir", "vi"):
        (tmp_path / kind).mkdir()
        noise = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
        write_image(tmp_path / kind / "a.png", np.full_like(noise, 255) if kind == flat else noise)
    assert (fuse(method, tmp_path, tmp_path / "out")["a"] == 255).all()


def test_the_limit_of_megapixels_reaches_every_reading(folder, tmp_path, monkeypatch):
    """As if the default were smaller than these images, which is quicker than larger images."""
    pairs = find_pairs(folder / "ir", folder / "vi")[:1]
    for read in (read_infrared, read_visible, image_size, batches_of_one_size):
        monkeypatch.setitem(read.__kwdefaults__, "largest", 100)
    options = {"stretched": False, "batch_size": 1, "runtime": RUNTIME}
    method = get("average")(Config())
    with pytest.raises(InputError, match="the limit is 0"):
        fuse_pairs(method, pairs, tmp_path, largest=100, **options)
    fuse_pairs(method, pairs, tmp_path, largest=10**6, **options)
    assert (tmp_path / f"{pairs[0].name}.png").is_file()
