"""A segmentation network on both images without fusing."""

import numpy as np
import pytest
import torch

from fusion.images.decode import read_infrared, write_image
from fusion.images.prepared import PreparedSet
from fusion.images.stacked import filters_with_infrared, stack_pairs
from segmentation.config import SegmentationConfig
from segmentation.data import load
from segmentation.experiment import train_and_test
from segmentation.models import build


@pytest.mark.slow
def test_what_only_infrared_shows_is_learned(scenes, tiny, cpu, tmp_path):
    """The visible images are replaced by noise, which tells no class."""
    _, dataset = scenes
    prepared, rng = PreparedSet.load(dataset), np.random.default_rng(0)
    accuracy = {}
    for split in prepared.splits:
        (tmp_path / "visible" / split).mkdir(parents=True)
        for pair in prepared.pairs(split):
            size = read_infrared(pair.infrared).pixels.shape
            noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            write_image(pair.visible, noise)
            write_image(tmp_path / "visible" / split / f"{pair.name}.png", noise)
        stack_pairs(prepared.pairs(split), tmp_path / "stacked" / split)
    longer = SegmentationConfig(**{**tiny.model_dump(), "epochs": 12, "validate_every": 12})
    for row in ("visible", "stacked"):
        work, pictures = tmp_path / f"run-{row}", tmp_path / f"pictures-{row}"
        found = train_and_test(tmp_path / row, dataset, work, longer, 0, cpu, pictures=pictures)
        accuracy[row] = found.test.pixel_accuracy
        assert len(list(pictures.iterdir())) == 2
    assert accuracy["stacked"] > accuracy["visible"] + 0.2


def test_stacked_images_are_loaded_with_infrared_as_the_fourth_channel(scenes, tmp_path):
    prepared = PreparedSet.load(scenes[1])
    stack_pairs(prepared.pairs("test"), tmp_path / "test")
    data = load(tmp_path, scenes[1], "test")
    assert data.channels == 4
    assert load(*scenes, "test").channels == 3
    for pair, image in zip(prepared.pairs("test"), data.images, strict=True):
        assert (image[3].numpy() == read_infrared(pair.infrared).pixels).all()


@pytest.mark.parametrize("trained", [True, False])
def test_only_the_first_filters_differ_from_those_of_three_channels(tiny, tmp_path, trained):
    config = tiny
    if trained:
        torch.save(build(tiny).network.encoder.state_dict(), tmp_path / "encoder.pth")
        file = str(tmp_path / "encoder.pth")
        config = SegmentationConfig(**{**tiny.model_dump(), "encoder_weights": file})
    networks = []
    for channels in (3, 4):
        torch.manual_seed(0)
        networks.append(build(config, 4, channels))
    three, four = (network.network.state_dict() for network in networks)
    (first,) = (name for name in three if not torch.equal(three[name], four[name]))
    assert four[first].shape[1] == 4
    assert torch.equal(four[first], filters_with_infrared(three[first])) == trained
    assert networks[1].eval()(torch.zeros(1, 4, 32, 32)).shape == (1, 4, 32, 32)
