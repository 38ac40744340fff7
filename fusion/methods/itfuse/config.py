"""ITFuse's settings; imports no torch."""

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class ITFuseConfig(Config):
    """`channels` everywhere; `levels` of interaction that share their weights; `blocks` of rows."""

    channels: int = Field(16, ge=4, multiple_of=4)
    levels: int = Field(3, ge=1)
    blocks: int = Field(3, ge=0)


class ITFuseLossConfig(Config):
    """Weights of the loss, see `ITFuseLoss`."""

    intensity: float = Field(1.0, ge=0)
    ssim: float = Field(4.0, ge=0)


class ITFuseFusionPhaseConfig(PhaseConfig):
    """The only phase. Published: 20 epochs at a rate of 3e-4, batches of 64."""

    loss: ITFuseLossConfig = ITFuseLossConfig()


SETTINGS = MethodSettings(ITFuseConfig, {"fusion": ITFuseFusionPhaseConfig})
