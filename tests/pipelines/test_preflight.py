"""Networks that are taken for buildable without asking the library."""

from types import SimpleNamespace
from typing import get_args

import pytest

from pipelines.preflight import PLAIN_ENCODERS, require_possible
from segmentation.config import Architecture, SegmentationConfig
from segmentation.models import require_buildable

OPTIONS = {
    "encoder_depth": [4, 5],
    "decoder_channels": [1, 64],
    "decoder_atrous_rates": [[1, 1, 1], [2, 4, 6]],
    "decoder_aspp_dropout": [0, 0.1, 1.0],
}


def asked(config, monkeypatch):
    """Whether the library is asked."""
    calls = []
    monkeypatch.setattr("pipelines.preflight._segmentation", lambda _: calls.append(1))
    require_possible(SimpleNamespace(segment_on=["msrs"], segmentation=config))
    return bool(calls)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", sorted(PLAIN_ENCODERS))
def test_a_network_that_is_not_asked_about_can_be_built(encoder, monkeypatch):
    smallest, largest = ({name: values[end] for name, values in OPTIONS.items()} for end in (0, -1))
    one_larger = [smallest | {name: largest[name]} for name in OPTIONS]
    values = [smallest, largest, *one_larger]
    of_options = [SegmentationConfig(encoder=encoder, options={"DeepLabV3Plus": v}) for v in values]
    of_kinds = [
        SegmentationConfig(architecture=kind, encoder=encoder)
        for kind in get_args(Architecture)
        if kind != "DPT"
    ]
    for config in [*of_options, *of_kinds]:
        assert not asked(config, monkeypatch)
        require_buildable(config)


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "DPT"},
        {"encoder": "vgg11"},
        {"encoder_weights": "imagenet"},
        {"architecture": "Unet", "options": {"Unet": {"decoder_channels": 16}}},
        {"options": {"DeepLabV3Plus": {"encoder_depth": 2}}},
        {"options": {"DeepLabV3Plus": {"decoder_atrous_rates": [1, 2]}}},
        {"options": {"DeepLabV3Plus": {"decoder_aspp_dropout": 1.5}}},
        {"options": {"DeepLabV3Plus": {"decoder_chanels": 16}}},
    ],
)
def test_the_library_is_asked_about_all_others(changes, monkeypatch):
    assert asked(SegmentationConfig(**changes), monkeypatch)
