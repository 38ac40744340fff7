"""The cascade of Restormer blocks and the decoder that CDDFuse and PoMAI have in common."""

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from fusion.blocks.layers import RestormerBlock
from fusion.core.config import Config


class RestormerConfig(Config):
    """Widths of the blocks: `channels` split into `heads`, feed-forward `expansion` · channels."""

    channels: int = Field(64, ge=2, multiple_of=2)
    heads: int = Field(8, ge=1)
    blocks: int = Field(4, ge=1)
    expansion: float = Field(2.0, gt=0)

    @model_validator(mode="after")
    def _heads_divide_channels(self) -> Self:
        if self.channels % self.heads:
            raise ValueError(
                f"channels ({self.channels}) must be a multiple of heads ({self.heads})"
            )
        return self


def restormer_blocks(config: RestormerConfig) -> nn.Sequential:
    """B×C×H×W -> B×C×H×W."""
    return nn.Sequential(
        *(
            RestormerBlock(config.channels, config.heads, config.expansion)
            for _ in range(config.blocks)
        )
    )


class RestormerDecoder(nn.Module):
    """B×2C×H×W -> luminance B×1×H×W in [0, 1]; mirrors an encoder of Restormer blocks."""

    def __init__(self, config: RestormerConfig) -> None:
        super().__init__()
        channels = config.channels
        self.reduce = nn.Conv2d(2 * channels, channels, 1, bias=False)
        self.blocks = restormer_blocks(config)
        self.head = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False),
            nn.LeakyReLU(),
            nn.Conv2d(channels // 2, 1, 3, padding=1, bias=False),
        )

    def forward(self, features: Tensor, skip: Tensor | float = 0.0) -> Tensor:
        """`skip`, B×1×H×W, is added before the sigmoid (CDDFuse; PoMAI has none)."""
        return torch.sigmoid(self.logits(features) + skip)

    def logits(self, features: Tensor) -> Tensor:
        """What comes before the sigmoid, float32."""
        decoded: Tensor = self.head(self.blocks(self.reduce(features)))
        return decoded.float()
