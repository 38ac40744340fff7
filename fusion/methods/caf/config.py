"""Settings of CAF."""

from pydantic import Field

from fusion.core.config import Config


class CAFConfig(Config):
    """CAF's network: `channels` of each dense layer; the heads have half of them each."""

    channels: int = Field(32, ge=2, multiple_of=2)
