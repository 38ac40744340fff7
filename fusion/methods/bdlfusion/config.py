"""Settings of BDLFusion; imports no torch."""

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings


class BDLFusionConfig(Config):
    """BDLFusion's network: `channels` between the blocks, `growth` of each dense layer."""

    channels: int = Field(64, ge=2, multiple_of=2)
    growth: int = Field(32, ge=1)


SETTINGS = MethodSettings(BDLFusionConfig)
