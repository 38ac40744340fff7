"""Settings of CAF; imports no torch."""

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings


class CAFConfig(Config):
    """CAF's network: `channels` of each dense layer; the heads have half of them each."""

    channels: int = Field(32, ge=2, multiple_of=2)


SETTINGS = MethodSettings(CAFConfig)
