"""Settings of a segmentation experiment; imports nothing heavy."""

import difflib
import re
from pathlib import PurePath
from typing import Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from fusion.core.config import Config

ENCODERS = tuple(
    """
    resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x4d
    resnext101_32x8d resnext101_32x16d resnext101_32x32d resnext101_32x48d dpn68 dpn68b dpn92
    dpn98 dpn107 dpn131 vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn senet154
    se_resnet50 se_resnet101 se_resnet152 se_resnext50_32x4d se_resnext101_32x4d densenet121
    densenet169 densenet201 densenet161 inceptionresnetv2 inceptionv4 efficientnet-b0
    efficientnet-b1 efficientnet-b2 efficientnet-b3 efficientnet-b4 efficientnet-b5
    efficientnet-b6 efficientnet-b7 mobilenet_v2 xception timm-efficientnet-b0
    timm-efficientnet-b1 timm-efficientnet-b2 timm-efficientnet-b3 timm-efficientnet-b4
    timm-efficientnet-b5 timm-efficientnet-b6 timm-efficientnet-b7 timm-efficientnet-b8
    timm-efficientnet-l2 timm-tf_efficientnet_lite0 timm-tf_efficientnet_lite1
    timm-tf_efficientnet_lite2 timm-tf_efficientnet_lite3 timm-tf_efficientnet_lite4
    timm-skresnet18 timm-skresnet34 timm-skresnext50_32x4d mit_b0 mit_b1 mit_b2 mit_b3 mit_b4
    mit_b5 mobileone_s0 mobileone_s1 mobileone_s2 mobileone_s3 mobileone_s4
    """.split()  # noqa: SIM905 - a literal of 76 strings is 76 lines
)
"""Encoders that segmentation-models-pytorch includes; `tu-<name>` selects any timm encoder.

They are listed here because importing the library takes seconds.
"""

Architecture = Literal[
    "DeepLabV3Plus",
    "DeepLabV3",
    "Unet",
    "UnetPlusPlus",
    "MAnet",
    "Linknet",
    "FPN",
    "PSPNet",
    "PAN",
    "UPerNet",
    "Segformer",
    "DPT",
]

_Options = dict[Architecture, dict[str, bool | int | float | str | list[int]]]

WEIGHT_FILES = (".pth", ".pt", ".safetensors")


class SegmentationConfig(Config):
    """One segmentation experiment; the defaults are the PoMAI paper's protocol (§6.2).

    SGD with a learning rate falling by half a cosine from `learning_rate` to 1 % of it over all
    steps. An epoch is ceil(images / batch_size) steps.

    Attributes:
        architecture: model class of segmentation-models-pytorch.
        encoder: its backbone, one of `ENCODERS` or `tu-<timm name>`.
        options: architecture -> further keyword arguments of its class, e.g. `decoder_channels`;
            those of other architectures than the chosen one have no effect.
        encoder_weights: null (random), a weight file (.pth, .pt, .safetensors), or "imagenet":
            weights that are downloaded if they are not cached. A timm encoder's tag goes with its
            name: `tu-resnet18.a1_in1k`. Some of the library's encoders have weights of other
            names too.
        frozen_epochs: first epochs in which the encoder, BatchNorm statistics included, stays as
            it was loaded; needs encoder weights.
        crop: side of the square training crop, pixels, after random scaling.
        scale: limits of the random scaling.
        validation_fraction: part of the training images that chooses the checkpoint.
        validation_seed: draws that part; the same for every method and training seed.
        validate_every: epochs between validations, and between checkpoints.
        pictures: number of test images drawn side by side.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    architecture: Architecture = "DeepLabV3Plus"
    encoder: str = "mobilenet_v2"
    options: _Options = Field({})
    encoder_weights: str | None = None
    frozen_epochs: int = Field(0, ge=0)
    epochs: int = Field(300, ge=1, le=1_000_000)
    batch_size: int = Field(8, ge=2, le=65_536)
    crop: int = Field(480, ge=32, le=16_384)
    scale: list[float] = Field([0.5, 2.0], min_length=2, max_length=2)
    learning_rate: float = Field(7e-3, gt=0, le=10)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(1e-4, ge=0, le=1)
    loss: Literal["ce", "ce+dice"] = "ce"
    validation_fraction: float = Field(0.1, gt=0, lt=1)
    validation_seed: int = Field(0, ge=0, lt=2**32)
    validate_every: int = Field(1, ge=1, le=1_000_000)
    pictures: int = Field(6, ge=0, le=100_000)

    @field_validator("encoder")
    @classmethod
    def _known_encoder(cls, name: str) -> str:
        # timm takes a name with a scheme, hf-hub:<repository>, for one of the hub or the disk.
        if name in ENCODERS or re.fullmatch(r"tu-[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?", name):
            return name
        near = ", ".join(difflib.get_close_matches(name, ENCODERS)) or ", ".join(ENCODERS)
        raise ValueError(f"there is no encoder '{name}'; did you mean {near}, or tu-<timm name>?")

    @field_validator("options")
    @classmethod
    def _sane_options(cls, options: _Options) -> _Options:
        for architecture, own in options.items():
            for name, value in own.items():
                numbers = value if isinstance(value, list) else [value]
                if any(isinstance(n, int | float) and abs(n) > 65_536 for n in numbers):
                    raise ValueError(f"{architecture}.{name}: {value} is more than 65536")
        return options

    @field_validator("scale")
    @classmethod
    def _ordered_scale(cls, scale: list[float]) -> list[float]:
        if not 0.01 <= scale[0] <= scale[1] <= 100:
            raise ValueError(f"scale is [smallest, largest], from 0.01 to 100; got {scale}")
        return scale

    @model_validator(mode="after")
    def _frozen_needs_weights(self) -> Self:
        if self.frozen_epochs and self.encoder_weights is None:
            raise ValueError(
                f"frozen_epochs is {self.frozen_epochs} but encoder_weights is null: a frozen "
                "random encoder learns nothing; set frozen_epochs: 0 or give encoder weights"
            )
        if self.frozen_epochs > self.epochs:
            raise ValueError(
                f"frozen_epochs ({self.frozen_epochs}) is more than epochs ({self.epochs})"
            )
        return self

    def own_options(self) -> dict[str, bool | int | float | str | list[int]]:
        """`options` of the chosen architecture."""
        return self.options.get(self.architecture, {})

    def weight_file(self) -> str | None:
        """`encoder_weights` where it names a file, else None."""
        weights = self.encoder_weights
        return weights if weights and PurePath(weights).suffix in WEIGHT_FILES else None
