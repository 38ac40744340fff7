import json

import numpy as np
import pytest

from fusion.core.config import RuntimeConfig
from fusion.core.protocol import differences
from fusion.images.decode import write_image
from fusion.images.prepared import PreparedSet
from segmentation.config import SegmentationConfig
from segmentation.data import hold_out, load
from segmentation.protocol import protocol

LIBRARIES = {"segmentation-models-pytorch", "timm", "torch"}


@pytest.fixture
def changed(scenes, tiny, tmp_path):
    """A function: names of the facts that change with a setting, or with the data."""
    weights = tmp_path / "encoder.pth"
    weights.write_bytes(b"before")

    def facts(seed, precision, settings):
        config = SegmentationConfig(
            **{**tiny.model_dump(), "encoder_weights": str(weights), **settings}
        )
        train, val = hold_out(
            load(*scenes, "train"), config.validation_fraction, config.validation_seed
        )
        splits = {"train": train, "val": val, "test": load(*scenes, "test")}
        runtime = RuntimeConfig(accelerator="cpu", precision=precision)
        return protocol(config, runtime, seed, PreparedSet.load(scenes[1]), splits)

    original = facts(0, "32-true", {})
    assert original["libraries"].keys() == LIBRARIES

    def difference(seed=0, precision="32-true", **settings):
        return set(differences(original, facts(seed, precision, settings)))

    return difference


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("architecture", "Unet"),
        ("encoder", "resnet18"),
        ("frozen_epochs", 1),
        ("epochs", 9),
        ("batch_size", 9),
        ("crop", 64),
        ("scale", [1.0, 1.5]),
        ("learning_rate", 1e-5),
        ("momentum", 0.1),
        ("weight_decay", 0.1),
        ("loss", "ce+dice"),
        ("validate_every", 2),
    ],
)
def test_every_setting_with_an_effect_is_a_fact(changed, name, value):
    options = {"settings.options.decoder_channels", "settings.options.encoder_depth"}
    expected = {f"settings.{name}"} | (options if name == "architecture" else set())
    assert changed(**{name: value}) == expected


def test_only_options_of_the_chosen_architecture_count(changed, tiny):
    own = {**tiny.options["DeepLabV3Plus"], "decoder_channels": 8}
    assert changed(options={"DeepLabV3Plus": own}) == {"settings.options.decoder_channels"}
    assert changed(options={**tiny.options, "Unet": {"decoder_channels": 8}}) == set()


def test_seed_precision_and_validation_part_are_facts(changed):
    assert changed(pictures=0) == set()
    assert changed(seed=1) == {"seed"}
    assert changed(precision="bf16-mixed") == {"precision"}
    held = {"settings.validation_seed", "data.split_sha256", "data.labels_sha256"}
    assert changed(validation_seed=1) == held


def test_weights_count_by_their_content_wherever_they_lie(changed, tmp_path):
    (tmp_path / "moved.pth").write_bytes(b"before")
    assert changed(encoder_weights=str(tmp_path / "moved.pth")) == set()
    (tmp_path / "encoder.pth").write_bytes(b"after")
    assert changed() == {"settings.encoder_weights"}


def test_the_data_set_is_told_by_name_split_labels_and_night(changed, scenes):
    listing = scenes[1] / "dataset.json"
    facts = json.loads(listing.read_text())
    for name, value, fact in (
        ("name", "other", "name"),
        ("split_protocol", "random", "split"),
        ("night", None, "night_sha256"),
    ):
        listing.write_text(json.dumps({**facts, name: value}))
        assert changed() == {f"data.{fact}"}
    listing.write_text(json.dumps(facts))
    image = scenes[0] / "test/00000D.png"
    write_image(image, np.zeros((40, 48), np.uint8))
    assert changed() == set(), "images are what methods differ in"
    write_image(scenes[1] / "test/labels/00000D.png", np.zeros((40, 48), np.uint8))
    assert changed() == {"data.labels_sha256"}
