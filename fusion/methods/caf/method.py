"""CAF: a Compact, Automatic and Flexible framework for image fusion (Liu et al., IJCAI 2024).

A densely connected network at full resolution. Layers and widths are those of the authors' code.
Their training loop is not published, so this method is imported and fuses; it is not trained here.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from fusion.core.config import Config
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod, register
from fusion.methods.caf.config import SETTINGS, CAFConfig

DEPTH = 3


def conv_norm_relu(inputs: int, outputs: int) -> nn.Sequential:
    """3×3 convolution, batch normalization, ReLU: B×inputs×H×W -> B×outputs×H×W."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()
    )


@register("caf")
class CAF(FusionMethod[CAFConfig]):
    """One head per modality, three dense layers, and a tail that ends in tanh.

    Every layer is local: a fused pixel depends on 13×13 pixels of the sources, so tiling does not
    change the result.
    """

    config_class: ClassVar[type[Config]] = SETTINGS.config

    def __init__(self, config: CAFConfig) -> None:
        super().__init__(config)
        channels = config.channels
        self.infrared = conv_norm_relu(1, channels // 2)
        self.visible = conv_norm_relu(1, channels // 2)
        widths = [channels * count for count in range(1, DEPTH + 2)]
        self.dense = nn.ModuleList(conv_norm_relu(width, channels) for width in widths[:-1])
        self.tail = nn.Sequential(
            nn.Conv2d(widths[-1], 2 * channels, 3, padding=1),
            nn.ReLU(),
            conv_norm_relu(2 * channels, channels),
            nn.Conv2d(channels, 1, 1),
        )

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return self.fuse(infrared, luminance(visible)).clamp(0, 1)

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """The network's output, in [−1, 1]; both B×1×H×W in [0, 1]."""
        features = torch.cat([self.infrared(infrared), self.visible(visible)], dim=1)
        for layer in self.dense:
            features = torch.cat([features, layer(features)], dim=1)
        return torch.tanh(self.tail(features).float())

    def encoder_layers(self) -> EncoderLayers:
        return EncoderLayers({"head": self.infrared}, {"head": self.visible})
