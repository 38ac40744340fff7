"""The numbers of a card are those of the fused files."""

import numpy as np
import pytest
import torch

from fusion.core.config import Config
from fusion.images.decode import write_image
from fusion.methods.base import FusionMethod
from scripts import measure_weights


class Counting(FusionMethod):
    """A fused image of little range, and how often it was asked for."""

    calls = 0

    def forward(self, infrared, visible):
        type(self).calls += infrared.shape[-1] != 128  # the probe of memory does not count
        return 0.25 + (infrared + visible.mean(1, keepdim=True)) / 8


@pytest.fixture
def pairs(tmp_path):
    random = np.random.default_rng(0)
    for kind, shape in (("ir", (40, 56)), ("vi", (40, 56, 3))):
        (tmp_path / kind).mkdir()
        for name in "ab":
            pixels = random.integers(0, 256, shape, dtype=np.uint8)
            write_image(tmp_path / kind / f"{name}.png", pixels)
    return tmp_path


def test_each_pair_is_fused_once_and_measured_unstretched_and_stretched(pairs):
    found = measure_weights.measure(Counting(Config()), pairs)
    assert Counting.calls == 2
    plain, stretched = found["unstretched"], found["stretched"]
    assert set(plain) == set(measure_weights.METRICS)
    assert 3.2 * plain["SD"] < stretched["SD"] < 6 * plain["SD"]


def test_replayed_images_keep_their_order():
    method = measure_weights.Remembered(Counting(Config()))
    images = [torch.rand(1, 1, 20, 24) for _ in range(3)]
    visible = torch.rand(1, 3, 20, 24)
    first = [method(image, visible) for image in images]
    method.given = 0
    assert all(method(image, visible) is made for image, made in zip(images, first, strict=True))
