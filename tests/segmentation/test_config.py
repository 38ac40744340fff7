import subprocess
import sys

import pytest
import segmentation_models_pytorch as smp
from pydantic import ValidationError

from segmentation.config import ENCODERS, SegmentationConfig


def test_names_are_exactly_those_of_the_library():
    assert list(ENCODERS) == smp.encoders.get_encoder_names()
    for architecture in SegmentationConfig.model_fields["architecture"].annotation.__args__:
        assert architecture.lower() in smp.MODEL_ARCHITECTURES_MAPPING
    allowed = SegmentationConfig.model_fields["architecture"].annotation.__args__
    assert len(allowed) == len(smp.MODEL_ARCHITECTURES_MAPPING)


def test_settings_do_not_import_the_library():
    code = (
        "import sys, segmentation.config; assert 'segmentation_models_pytorch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frozen_epochs": 100}, "a frozen random encoder learns nothing"),
        ({"frozen_epochs": 9, "epochs": 8, "encoder_weights": "imagenet"}, "more than epochs"),
        ({"encoder": "resnet51"}, "did you mean resnet50|did you mean resnet"),
        ({"scale": [2.0, 0.5]}, "smallest, largest"),
        ({"batch_size": 1}, "greater than or equal to 2"),
        ({"architecture": "DeepLab"}, "'DeepLabV3Plus'"),
        ({"learning_rte": 0.1}, "learning_rte"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        SegmentationConfig(**values)


def test_the_papers_frozen_phase_is_accepted_with_weights():
    config = SegmentationConfig(encoder_weights="imagenet", frozen_epochs=100)
    assert (config.epochs, config.batch_size, config.learning_rate) == (300, 8, 7e-3)


@pytest.mark.parametrize(
    "encoder",
    [
        "tu-hf-hub:timm/resnet18",
        "tu-local-dir:/tmp/model",
        "tu-hf_hub:x",
        "tu-",
        "tu-../x",
        "tu-a.b.c",
    ],
)
def test_encoders_of_timm_are_names_and_never_addresses(encoder):
    with pytest.raises(ValueError, match="there is no encoder"):
        SegmentationConfig(encoder=encoder)
    assert SegmentationConfig(encoder="tu-resnet18.a1_in1k").encoder == "tu-resnet18.a1_in1k"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epochs": 10**30}, "less than or equal to 1000000"),
        ({"learning_rate": float("inf")}, "finite number"),
        ({"scale": [0.5, float("inf")]}, "finite number"),
        ({"scale": [1e-9, 2.0]}, r"from 0\.01 to 100"),
        ({"crop": 10**6}, "less than or equal to 16384"),
        (
            {"options": {"Unet": {"decoder_channels": [10**9]}}},
            r"Unet\.decoder_channels: .* more than",
        ),
    ],
)
def test_absurd_numbers_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        SegmentationConfig(**changes)
