"""CDDFuse's settings; imports no torch."""

from typing import Self

from pydantic import Field, model_validator

from fusion.blocks.config import RestormerConfig
from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class CDDFuseConfig(RestormerConfig):
    """CDDFuse's network; `nodes` is the depth of the encoder's detail branch."""

    nodes: int = Field(3, ge=1)


class CDDFuseReconstructionLossConfig(Config):
    """Weights of phase one; see `ReconstructionLoss`."""

    ssim: float = Field(5.0, ge=0)
    mse: float = Field(1.0, ge=0)
    gradient: float = Field(5.0, ge=0)
    decomposition: float = Field(2.0, ge=0)


class CDDFuseFusionLossConfig(Config):
    """Weights of phase two; see `FusionLoss`."""

    intensity: float = Field(1.0, ge=0)
    gradient: float = Field(10.0, ge=0)
    decomposition: float = Field(2.0, ge=0)


class CDDFuseReconstructionPhaseConfig(PhaseConfig):
    """Encoder and decoder are trained; the fusion layers are not."""

    loss: CDDFuseReconstructionLossConfig = CDDFuseReconstructionLossConfig()


class CDDFuseFusionPhaseConfig(PhaseConfig):
    """Encoder, decoder and fusion layers are trained together."""

    loss: CDDFuseFusionLossConfig = CDDFuseFusionLossConfig()


class CDDFuseOneRunPhaseConfig(PhaseConfig):
    """Both phases in one run, as the authors' code trains (`CDDFuseOneRunPhase`).

    reconstruction_epochs: the first of `epochs`; in them, encoder and decoder learn to reconstruct.
        Then the fusion layers join, and their schedule begins.
    reconstruction, fusion: weights of the losses before and after.
    """

    reconstruction_epochs: int = Field(ge=0)
    reconstruction: CDDFuseReconstructionLossConfig = CDDFuseReconstructionLossConfig()
    fusion: CDDFuseFusionLossConfig = CDDFuseFusionLossConfig()

    @model_validator(mode="after")
    def _ends_with_fusion(self) -> Self:
        if 0 < self.epochs <= self.reconstruction_epochs:
            raise ValueError(
                f"reconstruction_epochs ({self.reconstruction_epochs}) must be below "
                f"epochs ({self.epochs}), or the fusion layers never learn"
            )
        return self


SETTINGS = MethodSettings(
    CDDFuseConfig,
    {
        "reconstruction": CDDFuseReconstructionPhaseConfig,
        "fusion": CDDFuseFusionPhaseConfig,
        "one_run": CDDFuseOneRunPhaseConfig,
    },
)
