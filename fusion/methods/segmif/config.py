"""Settings of SegMiF; imports no torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings

Depth = Annotated[int, Field(ge=0, le=1000)]


class SegMiFConfig(Config):
    """SegMiF's network: the fusion network and two stages of a segmentation encoder.

    channels, growth: between the dense blocks, and of each of their layers.
    heads: of the interactive attention.
    semantic_width: of the encoder's first stage; the second has twice as many channels.
    semantic_depths: blocks of both stages.
    third: what that encoder sees: the visible luminance, as the authors have it on sets without
        saliency maps, or both images weighted by their saliency (choice: no code makes the
        authors' maps).
    """

    channels: int = Field(64, ge=1)
    growth: int = Field(32, ge=1)
    heads: int = Field(8, ge=1)
    semantic_width: int = Field(64, ge=1)
    semantic_depths: list[Depth] = Field([3, 4], min_length=2, max_length=2)
    third: Literal["visible", "saliency"] = "visible"

    @model_validator(mode="after")
    def _heads_divide_channels(self) -> Self:
        if self.channels % self.heads:
            raise ValueError(
                f"channels ({self.channels}) must be a multiple of heads ({self.heads})"
            )
        return self


SETTINGS = MethodSettings(SegMiFConfig)
