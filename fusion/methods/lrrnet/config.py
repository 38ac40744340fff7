"""Settings of LRRNet."""

from pydantic import Field

from fusion.core.config import Config


class LRRNetConfig(Config):
    """`channels` of the low-rank part, and as many of the sparse part; `steps` of each coder."""

    channels: int = Field(128, ge=1)
    steps: int = Field(4, ge=0)
