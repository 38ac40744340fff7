"""SeAFusion's settings; imports no torch."""

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class SeAFusionConfig(Config):
    """`width` of the encoders' stems; their two blocks double and triple it."""

    width: int = Field(16, ge=1)


class SeAFusionLossConfig(Config):
    """Weights of the loss, see `SeAFusionLoss`."""

    intensity: float = Field(1.0, ge=0)
    gradient: float = Field(10.0, ge=0)


class SeAFusionFusionPhaseConfig(PhaseConfig):
    """The only phase. Published: 10 epochs of 8 whole images, rate 1.333e-3 times 0.75 an epoch."""

    loss: SeAFusionLossConfig = SeAFusionLossConfig()


SETTINGS = MethodSettings(SeAFusionConfig, {"fusion": SeAFusionFusionPhaseConfig})
