"""PoMAI's Context-Aware Modeling Network: the surroundings of each visible pixel."""

from torch import Tensor, nn

from fusion.blocks.depthwise import DepthwiseConv2d
from fusion.blocks.layers import ChannelLayerNorm
from fusion.blocks.pointwise import PointwiseConv2d
from fusion.methods.pomai.config import CAMNConfig


class ContextAwareModeling(nn.Module):
    """CAMN, equations 4-5: B×C×H×W -> B×C×H×W.

    Spatial context: 1×1, 7×7 depthwise dilated (choice: depthwise), 1×1, residual. Channel context:
    norm (choice: channel LayerNorm), 1×1, GELU (choice: without it the two 1×1 are one), 1×1.
    """

    def __init__(self, channels: int, config: CAMNConfig) -> None:
        super().__init__()
        hidden = int(channels * config.expansion)
        self.spatial = nn.Sequential(
            PointwiseConv2d(channels, channels),
            DepthwiseConv2d(channels, 7, dilation=config.dilation),
            PointwiseConv2d(channels, channels),
        )
        self.channel = nn.Sequential(
            ChannelLayerNorm(channels),
            PointwiseConv2d(channels, hidden),
            nn.GELU(),
            PointwiseConv2d(hidden, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        spatial: Tensor = self.spatial(features) + features
        channel: Tensor = self.channel(spatial)
        return channel + spatial + features
