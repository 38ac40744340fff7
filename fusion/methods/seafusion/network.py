"""SeAFusion: fusion in the loop of high-level vision tasks (Tang et al., Information Fusion 2022).

Two encoders of gradient-residual dense blocks and a plain decoder. Layers, widths and ranges are
those of the authors' code.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.depthwise import DepthwiseConv2d
from fusion.blocks.pointwise import PointwiseConv2d
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod
from fusion.methods.seafusion.config import SeAFusionConfig

SLOPE = 0.2
RESIDUAL_SLOPE = 0.1
SOBEL = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])


class LearnedGradient(nn.Module):
    """|G_x ∗ x| + |G_y ∗ x|, one pair of kernels a channel: B×C×H×W -> B×C×H×W.

    The kernels start as Sobel's and are trained as all weights are.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.x = DepthwiseConv2d(channels, 3, bias=False)
        self.y = DepthwiseConv2d(channels, 3, bias=False)
        with torch.no_grad():
            self.x.weight.copy_(SOBEL.expand_as(self.x.weight))
            self.y.weight.copy_(SOBEL.T.expand_as(self.y.weight))

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.x(features).abs() + self.y(features).abs()
        return result


class GradientResidualDenseBlock(nn.Module):
    """Two dense convolutions, and the gradient beside them: B×inputs×H×W -> B×outputs×H×W."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense1 = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.dense2 = nn.Conv2d(2 * inputs, inputs, 3, padding=1)
        self.merge = PointwiseConv2d(3 * inputs, outputs)
        self.gradient = LearnedGradient(inputs)
        self.residual = PointwiseConv2d(inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        dense = torch.cat([features, F.leaky_relu(self.dense1(features), SLOPE)], dim=1)
        dense = torch.cat([dense, F.leaky_relu(self.dense2(dense), SLOPE)], dim=1)
        residual = self.residual(self.gradient(features))
        return F.leaky_relu(self.merge(dense) + residual, RESIDUAL_SLOPE)


class Encoder(nn.Module):
    """B×1×H×W -> B×3·width×H×W."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.block1 = GradientResidualDenseBlock(width, 2 * width)
        self.block2 = GradientResidualDenseBlock(2 * width, 3 * width)

    def forward(self, image: Tensor) -> Tensor:
        features = F.leaky_relu(self.stem(image), SLOPE)
        result: Tensor = self.block2(self.block1(features))
        return result


class Decoder(nn.Module):
    """B×6·width×H×W -> B×1×H×W in [0, 1]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [6 * width, 4 * width, 2 * width, width, 1]
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in pairwise(widths)
        )

    def forward(self, features: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            features = F.leaky_relu(layer(features), SLOPE)
        return torch.tanh(last(features)) / 2 + 0.5


class SeAFusionNetwork(FusionMethod[SeAFusionConfig]):
    """Encoders of their own for infrared and visible luminance, one decoder; any size."""

    def __init__(self, config: SeAFusionConfig) -> None:
        super().__init__(config)
        self.infrared = Encoder(config.width)
        self.visible = Encoder(config.width)
        self.decoder = Decoder(config.width)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        features = [self.visible(luminance(visible)), self.infrared(infrared)]
        fused: Tensor = self.decoder(torch.cat(features, dim=1))
        return fused

    def encoder_layers(self) -> EncoderLayers:
        infrared, visible = (
            {"stem": encoder.stem, "block 1": encoder.block1, "block 2": encoder.block2}
            for encoder in (self.infrared, self.visible)
        )
        return EncoderLayers(infrared, visible)
