from threading import Barrier, BrokenBarrierError, Lock
from time import sleep

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
from fusion.inference.pretrained import load
from fusion.inference.tiles import MemoryPlan
from fusion.methods import get
from fusion.methods.base import FusionMethod

RUNTIME = RuntimeConfig(accelerator="cpu")
AMPLE = MemoryPlan(10, 100)


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


class BrokenOnWhite(FusionMethod):
    """Undefined where the infrared image is all white."""

    def forward(self, infrared, visible):
        white = (infrared == 1).flatten(1).all(1)
        return torch.where(white[:, None, None, None], torch.nan, infrared)


def test_the_pair_of_a_batch_that_cannot_be_fused_is_named(tmp_path):
    random = np.random.default_rng(0)
    for kind in ("ir", "vi"):
        (tmp_path / kind).mkdir()
        for name in "abc":
            pixels = random.integers(0, 256, (20, 20), dtype=np.uint8)
            write_image(tmp_path / kind / f"{name}.png", pixels)
    write_image(tmp_path / "ir/b.png", np.full((20, 20), 255, np.uint8))
    with pytest.raises(InputError, match=r"vi/b.png.*undefined values"):
        fuse(BrokenOnWhite(Config()), tmp_path, tmp_path / "out")


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


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def fuse_with(method, folder, output, **options):
    pairs = find_pairs(folder / "ir", folder / "vi")
    fuse_pairs(method, pairs, output, stretched=False, batch_size=1, runtime=RUNTIME, **options)
    return {path.name: path.read_bytes() for path in output.iterdir()}


@pytest.mark.usefixtures("two_threads")
def test_two_workers_write_the_files_of_one_thread(folder, tmp_path):
    method = load("pomai-tiny").method
    both = fuse_with(method, folder, tmp_path / "both", workers=2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert both == fuse_with(method, folder, tmp_path / "alone")
    assert len(both) == 7


class Watched(FusionMethod):
    """The average; counts how many fuse at a time, and on how many threads of torch each does."""

    def __init__(self, meeting=None):
        super().__init__(Config())
        self.meeting, self.lock, self.inside = meeting, Lock(), 0
        self.most, self.threads, self.gradients = 0, set(), set()

    def forward(self, infrared, visible):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.threads.add(torch.get_num_threads())
            self.gradients.add(torch.is_grad_enabled())
        try:
            if self.meeting:
                self.meeting.wait()
        finally:
            with self.lock:
                self.inside -= 1
        return (infrared + visible.mean(1, keepdim=True)) / 2


@pytest.mark.usefixtures("two_threads")
def test_workers_fuse_at_the_same_time_each_on_its_share_of_the_threads(pair_folder, tmp_path):
    """Without the other one, each would wait for it until the barrier breaks."""
    method = Watched(Barrier(2, timeout=60))
    fuse_with(method, pair_folder(4), tmp_path, workers=2, plan=AMPLE)
    assert (method.most, method.threads, method.gradients) == (2, {1}, {False})
    alone = Watched(Barrier(2, timeout=0.2))
    with pytest.raises(BrokenBarrierError):
        fuse_with(alone, pair_folder(4), tmp_path, workers=1, plan=AMPLE)
    assert (alone.most, alone.threads) == (1, {2})


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("images", "at_once"), [(1.9, 1), (2.1, 2)])
def test_the_memory_limit_counts_every_worker(folder, tmp_path, images, at_once):
    largest = max(
        np.prod(image_size(pair.visible)) for pair in find_pairs(folder / "ir", folder / "vi")
    )
    bytes_of_a_pixel = 1000
    limit = images * largest * (bytes_of_a_pixel + 64) / 2**30
    method = Watched()
    plan = MemoryPlan(limit, bytes_of_a_pixel)
    fuse_with(method, folder, tmp_path, workers=2, plan=plan)
    assert method.most <= at_once
    assert method.threads == {3 - at_once}


def test_a_bug_in_one_pair_ends_the_others(pair_folder, tmp_path):
    class Faulty(Watched):
        def forward(self, infrared, visible):
            if not self.threads:
                super().forward(infrared, visible)
                raise TypeError("a bug")
            sleep(0.05)
            return super().forward(infrared, visible)

    with pytest.raises(TypeError, match="a bug"):
        fuse_with(Faulty(), pair_folder(40), tmp_path, plan=AMPLE)
    assert len(list(tmp_path.iterdir())) < 20
