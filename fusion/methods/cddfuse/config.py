"""CDDFuse's settings; imports no torch."""

from pydantic import Field

from fusion.blocks.config import RestormerConfig
from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class CDDFuseConfig(RestormerConfig):
    """CDDFuse's network; `nodes` is the depth of the encoder's detail branch."""

    nodes: int = Field(3, ge=1)


class CDDFuseReconstructionLossConfig(Config):
    """Weights of phase one; see `CDDFuseReconstructionPhase`."""

    ssim: float = Field(5.0, ge=0)
    mse: float = Field(1.0, ge=0)
    gradient: float = Field(5.0, ge=0)
    decomposition: float = Field(2.0, ge=0)


class CDDFuseFusionLossConfig(Config):
    """Weights of phase two; see `CDDFuseFusionPhase`."""

    intensity: float = Field(1.0, ge=0)
    gradient: float = Field(10.0, ge=0)
    decomposition: float = Field(2.0, ge=0)


class CDDFuseReconstructionPhaseConfig(PhaseConfig):
    """Encoder and decoder are trained; the fusion layers are not."""

    loss: CDDFuseReconstructionLossConfig = CDDFuseReconstructionLossConfig()


class CDDFuseFusionPhaseConfig(PhaseConfig):
    """Encoder, decoder and fusion layers are trained together."""

    loss: CDDFuseFusionLossConfig = CDDFuseFusionLossConfig()


SETTINGS = MethodSettings(
    CDDFuseConfig,
    {
        "reconstruction": CDDFuseReconstructionPhaseConfig,
        "fusion": CDDFuseFusionPhaseConfig,
    },
)
