"""Settings that several networks share, and the size constraints of U-Nets; imports no torch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fusion.core.config import Config

Skip = Literal["none", "visible", "brighter"]
"""What a network's output is added to: nothing, the visible luminance, or the brighter source."""

LEVELS = 5
"""Levels of a U-Net (`fusion.blocks.unet`)."""

MULTIPLE = 2 ** (LEVELS - 1)
"""The sides of a U-Net's input must be multiples of this."""

SMALLEST_VIF_SIDE = 41
"""Pixels that VIF's four scales need, each half as large as the one before."""


class RestormerConfig(Config):
    """Widths of the blocks: `channels` split into `heads`, feed-forward `expansion` · channels."""

    channels: int = Field(64, ge=2, le=4096, multiple_of=2)
    heads: int = Field(8, ge=1)
    blocks: int = Field(4, ge=1, le=1000)
    expansion: float = Field(2.0, gt=0, le=100)

    @model_validator(mode="after")
    def _heads_divide_channels(self) -> Self:
        if self.channels % self.heads:
            raise ValueError(
                f"channels ({self.channels}) must be a multiple of heads ({self.heads})"
            )
        return self


def require_pixels(images: int, crop: int) -> None:
    """Reject a batch that leaves batch normalization a single value per channel.

    Args:
        images: number of images in the batch.
        crop: side of each image, before padding to `MULTIPLE`.

    Raises:
        ValueError: there is a single pixel at the deepest level.
    """
    if images == 1 and crop <= MULTIPLE:
        raise ValueError(
            f"one crop of {crop} leaves batch normalization a single pixel at the deepest "
            "level: raise batch_size or crop"
        )
