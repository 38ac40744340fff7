"""IGNet: a graph network with cross-modality interaction (Li et al., ACM MM 2023).

Convolutional encoders give features of three scales. From the deepest up, each scale has three
nodes per modality, which exchange features across modalities and messages within one. Their merged
features guide the next scale, and one cascade per modality decodes them. Layers and widths are
those of the authors' code. Their training is not published, so this method is imported and fuses;
it is not trained here.
"""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.layers import ChannelAttention
from fusion.blocks.normalization import ImageBatchNorm
from fusion.core.config import Config
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod, register
from fusion.methods.ignet.config import SETTINGS, IGNetConfig, Statistics
from fusion.methods.ignet.graph import NODES, CrossModality, LeaderGate, MessagePassing

MULTIPLE = 8
DILATIONS = (4, 8, 16)
NODE_SHARE = 32


def conv_norm_relu(
    inputs: int, outputs: int, statistics: Statistics, dilation: int = 1
) -> nn.Sequential:
    """3×3 convolution without bias, batch normalization, ReLU; the size is kept."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False),
        ImageBatchNorm(outputs, statistics),
        nn.ReLU(),
    )


class Encoder(nn.Module):
    """B×1×H×W -> features of 1/8, 1/4 and 1/2 of the size, deepest first.

    The deepest are the product of both pools (infrared) or their sum, times a channel gate.
    """

    def __init__(self, width: int, *, product: bool) -> None:
        super().__init__()
        widths = [1, *(width * factor for factor in (1, 2, 3, 4))]
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in pairwise(widths)
        )
        self.attention = ChannelAttention(widths[-1], 16, bias=False)
        self.product = product

    def forward(self, image: Tensor) -> list[Tensor]:
        first, second, *deeper = self.layers
        half = F.max_pool2d(F.leaky_relu(first(image), 0.2), 2)
        quarter = F.max_pool2d(F.leaky_relu(second(half), 0.2), 2)
        deep = quarter
        for layer in deeper:
            deep = F.leaky_relu(layer(deep), 0.2)
        maximum, mean = F.max_pool2d(deep, 2), F.avg_pool2d(deep, 2)
        eighth = maximum * mean if self.product else maximum + mean
        return [eighth * torch.sigmoid(self.attention(eighth)), quarter, half]


class Branch(nn.Module):
    """The layers of one modality at one scale."""

    def __init__(self, inputs: int, statistics: Statistics) -> None:
        super().__init__()
        channels = inputs // NODE_SHARE
        self.nodes = nn.ModuleList(
            conv_norm_relu(inputs, channels, statistics, dilation) for dilation in DILATIONS
        )
        # the deepest scale has no leader; its gate is in the published weights all the same
        self.leader_gate = LeaderGate(channels)
        self.messages = MessagePassing(channels)
        self.merge = conv_norm_relu(NODES * channels, channels, statistics)

    def start(self, features: Tensor, leader: Tensor | None) -> Tensor:
        """Nodes, B×3×C×H×W, of features B×inputs×H×W."""
        nodes = [node(features) for node in self.nodes]
        if leader is not None:
            nodes = [self.leader_gate(node, leader) for node in nodes]
        return torch.stack(nodes, dim=1)

    def finish(self, nodes: Tensor) -> Tensor:
        """The merged nodes after message passing, B×C×H×W."""
        output: Tensor = self.merge(self.messages(nodes).flatten(1, 2))
        return output


class Level(nn.Module):
    """The graph of one scale."""

    def __init__(self, inputs: int, statistics: Statistics) -> None:
        super().__init__()
        self.infrared = Branch(inputs, statistics)
        self.visible = Branch(inputs, statistics)
        self.exchange = CrossModality(inputs // NODE_SHARE)

    def forward(
        self, infrared: Tensor, visible: Tensor, leaders: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Merged features of both modalities, B×inputs/32×H×W each.

        Args:
            infrared, visible: features, B×inputs×H×W.
            leaders: the result of the scale below.
        """
        first, second = leaders or (None, None)
        nodes = self.infrared.start(infrared, first), self.visible.start(visible, second)
        exchanged = self.exchange(*(of_one.flatten(0, 1) for of_one in nodes))
        mixed = [of_one.unflatten(0, (-1, NODES)) for of_one in exchanged]
        return self.infrared.finish(mixed[0]), self.visible.finish(mixed[1])


class Cascade(nn.Module):
    """The decoder of one modality: three upsampling steps, guided by each scale's graph."""

    def __init__(self, deepest: int, leaders: list[int], widths: list[int], statistics: Statistics):
        super().__init__()
        self.steps = nn.ModuleList(
            conv_norm_relu(leader + inputs, outputs, statistics)
            for leader, (inputs, outputs) in zip(leaders, pairwise([deepest, *widths]), strict=True)
        )

    def forward(self, features: Tensor, leaders: list[Tensor]) -> Tensor:
        for step, leader in zip(self.steps, leaders, strict=True):
            both = torch.cat([leader, features], dim=1)
            features = step(
                F.interpolate(both, scale_factor=2, mode="bilinear", align_corners=True)
            )
        return features


@register("ignet")
class IGNet(FusionMethod[IGNetConfig]):
    """Two encoders, a graph per scale, two cascades, a 1×1 convolution.

    Sides that do not divide by 8 are padded with their last pixels (choice: the authors crop their
    images). Global: gates and, by default, normalization see the whole image.
    """

    config_class: ClassVar[type[Config]] = SETTINGS.config
    whole_image: ClassVar[bool] = True

    def __init__(self, config: IGNetConfig) -> None:
        super().__init__(config)
        self.infrared = Encoder(config.width, product=True)
        self.visible = Encoder(config.width, product=False)
        scales = [config.width * factor for factor in (4, 2, 1)]
        self.levels = nn.ModuleList(Level(width, config.statistics) for width in scales)
        leaders = [width // NODE_SHARE for width in scales]
        self.infrared_cascade, self.visible_cascade = (
            Cascade(scales[0], leaders, config.cascade, config.statistics) for _ in range(2)
        )
        self.last = nn.Conv2d(2 * config.cascade[-1], 1, 1)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        height, width = infrared.shape[-2:]
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        images = (
            F.pad(image, padding, mode="replicate") for image in (infrared, luminance(visible))
        )
        return self.fuse(*images)[..., :height, :width].clamp(0, 1)

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """The network's output, unbounded; both B×1×H×W in [0, 1], sides multiples of 8."""
        scales = list(zip(self.infrared(infrared), self.visible(visible), strict=True))
        merged: list[tuple[Tensor, Tensor]] = []
        for level, features in zip(self.levels, scales, strict=True):
            merged.append(level(*features, merged[-1] if merged else None))
        infrared_leaders, visible_leaders = (list(of_one) for of_one in zip(*merged, strict=True))
        drawn = [
            self.infrared_cascade(scales[0][0], infrared_leaders),
            self.visible_cascade(scales[0][1], visible_leaders),
        ]
        output: Tensor = self.last(torch.cat(drawn, dim=1)).float()
        return output

    def encoder_layers(self) -> EncoderLayers:
        infrared, visible = (
            {f"layer {number}": layer for number, layer in enumerate(encoder.layers, start=1)}
            for encoder in (self.infrared, self.visible)
        )
        return EncoderLayers(infrared, visible)
