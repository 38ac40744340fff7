"""The cascade of Restormer blocks and the decoder that CDDFuse and PoMAI have in common."""

import torch
from torch import Tensor, nn

from fusion.blocks.config import RestormerConfig
from fusion.blocks.layers import RestormerBlock
from fusion.blocks.pointwise import PointwiseConv2d


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
        self.reduce = PointwiseConv2d(2 * channels, channels, bias=False)
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
        """The logits before the sigmoid, float32."""
        decoded: Tensor = self.head(self.blocks(self.reduce(features)))
        return decoded.float()
