"""EMMA: Equivariant Multi-Modality Image Fusion (Zhao et al., CVPR 2024).

Two pseudo-sensing networks learn to recover infrared and visible from fused images; then, frozen,
they judge the fuser: what they recover from its output must be its input, and fusing what they
recover from a transformed output must give the transformed output. Layer facts are those of the
authors' code; "choice" marks what differs or was open.
"""

from collections.abc import Mapping
from typing import ClassVar, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from fusion.blocks.losses import SobelGradient
from fusion.blocks.unet import require_pixels
from fusion.core.config import Config
from fusion.images.color import luminance
from fusion.methods.base import (
    Batch,
    EncoderLayers,
    FusionMethod,
    PhaseConfig,
    TaughtPhaseConfig,
    TrainingPhase,
    register,
)
from fusion.methods.emma.equivariance import transformed
from fusion.methods.emma.sensing import SensingConfig, SensingNetworks, low_contrast
from fusion.methods.emma.ufuser import UFuser


class EMMAConfig(Config):
    """EMMA's network.

    `widths` are the U-Fuser's, one a level. `sensing` is null but in what phase `sensing` leaves.
    """

    widths: list[int] = Field([8, 16, 32, 32], min_length=2, max_length=4)
    heads: int = Field(8, ge=1)
    sensing: SensingConfig | None = None

    @model_validator(mode="after")
    def _heads_divide_widths(self) -> Self:
        for width in self.widths:
            if width < 1 or width % self.heads:
                raise ValueError(f"widths: {width} must be a multiple of heads ({self.heads})")
        return self


class SensingPhase(TaughtPhaseConfig):
    """A_i and A_v learn to recover the sources from fused images of `teachers`.

    Which teachers is a choice: the fused images that the paper used were not released.

    contrast: patches of a lower (p90 − p10) / p90, in either source, do not count.
    """

    network: SensingConfig = SensingConfig()
    contrast: float = Field(0.1, ge=0, le=1)

    @model_validator(mode="after")
    def _enough_for_batch_normalisation(self) -> Self:
        require_pixels(self.batch_size * len(self.teachers), self.crop)
        return self


class FusionPhase(PhaseConfig):
    """The U-Fuser learns through the frozen A_i and A_v.

    equivariance: weight of the equivariance term.
    shifts, rotations: how many transforms of each kind; the three flips come on top.
    """

    equivariance: float = Field(0.1, ge=0)
    shifts: int = Field(3, ge=0, le=15)
    rotations: int = Field(3, ge=0)


@register("emma")
class EMMA(FusionMethod):
    """The U-Fuser; with `config.sensing` also A_i and A_v, which fusing does not use."""

    config_class: ClassVar[type[Config]] = EMMAConfig
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = {
        "sensing": SensingPhase,
        "fusion": FusionPhase,
    }

    def __init__(self, config: EMMAConfig) -> None:
        super().__init__(config)
        self.fuser = UFuser(config.widths, config.heads)
        self.sensing = SensingNetworks(config.sensing) if config.sensing else None

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return self.fuser(infrared, luminance(visible))

    def encoder_layers(self) -> EncoderLayers:
        infrared, visible = (
            {f"level {number}": level for number, level in enumerate(encoder.levels, start=1)}
            for encoder in (self.fuser.infrared, self.fuser.visible)
        )
        return EncoderLayers(infrared, visible)

    @classmethod
    def start_phase(
        cls, name: str, config: Config, settings: PhaseConfig, previous: FusionMethod | None
    ) -> TrainingPhase:
        config = cast(EMMAConfig, config)
        if config.sensing:
            raise ValueError("emma: sensing is set by phase sensing, not a setting of the network")
        if isinstance(settings, SensingPhase):
            return SensingTraining(
                cls(config.model_copy(update={"sensing": settings.network})), settings
            )
        if not isinstance(previous, EMMA) or previous.sensing is None:
            raise ValueError("phase fusion of emma starts from the weights of phase sensing")
        return FusionTraining(cls(config), previous.sensing, cast(FusionPhase, settings))


class SensingTraining(TrainingPhase):
    """A_i and A_v, mean squared error; patches of low contrast have weight zero (choice).

    They still pass through the networks, so batch normalisation's statistics contain them.
    """

    method: EMMA

    def __init__(self, network: EMMA, settings: SensingPhase) -> None:
        super().__init__()
        self.method = network
        self.contrast = settings.contrast
        network.requires_grad_(False).eval()
        cast(SensingNetworks, network.sensing).requires_grad_(True).train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`loss` = `infrared` + `visible`; `low_contrast` is the share of patches left out."""
        if batch.fused is None:
            raise ValueError("phase sensing of emma needs fused images of its teachers")
        teachers = batch.fused.shape[1]
        visible = luminance(batch.visible)
        skipped = low_contrast(batch.infrared, self.contrast)
        skipped = skipped | low_contrast(visible, self.contrast)
        weight = (~skipped).float()
        weight = weight / weight.sum().clamp_min(1)
        sensed = cast(SensingNetworks, self.method.sensing)(batch.fused.flatten(0, 1).unsqueeze(1))
        terms = {}
        for name, image, source in zip(
            ("infrared", "visible"), sensed, (batch.infrared, visible), strict=True
        ):
            errors = (image.unflatten(0, (-1, teachers)) - source.unsqueeze(1)).square()
            terms[name] = (weight * errors.flatten(1).mean(1)).sum()
        return {
            "loss": terms["infrared"] + terms["visible"],
            **terms,
            "low_contrast": skipped.float().mean(),
        }


class FusionTraining(TrainingPhase):
    """The U-Fuser alone; A_i and A_v pass gradients on, but neither learn nor count statistics."""

    method: EMMA

    def __init__(self, network: EMMA, sensing: SensingNetworks, settings: FusionPhase) -> None:
        super().__init__()
        self.method = network
        self.sensing = sensing
        self.settings = settings
        self.distance = IntensityGradientDistance()
        self.train()
        sensing.requires_grad_(False).eval()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        visible = luminance(batch.visible)
        fused = self.method.fuser(batch.infrared, visible)
        moved = transformed(fused, self.settings.shifts, self.settings.rotations)
        sensed = self.sensing(moved)
        count = len(fused)  # the first of `moved` are `fused` as they are
        terms = {
            "infrared": self.distance(sensed.infrared[:count], batch.infrared),
            "visible": self.distance(sensed.visible[:count], visible),
            "equivariance": self.distance(moved, self.method.fuser(*sensed)),
        }
        sources = terms["infrared"] + terms["visible"]
        return {"loss": sources + self.settings.equivariance * terms["equivariance"], **terms}


class IntensityGradientDistance(nn.Module):
    """mean |x − y| + mean |∇x − ∇y| of two B×1×H×W, in float32.

    ∇ is both components of the Sobel operator, as slopes per pixel, with replicate padding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gradient = SobelGradient(border="replicate", divisor=8)

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            difference = image.float() - reference.float()
            return difference.abs().mean() + self.gradient(difference).abs().mean()
