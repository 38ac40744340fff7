"""Settings of SeAFusion."""

from pydantic import Field

from fusion.core.config import Config


class SeAFusionConfig(Config):
    """`width` of the encoders' stems; their two blocks double and triple it."""

    width: int = Field(16, ge=1)
