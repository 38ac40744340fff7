"""UMF: the fusion network of UMF-CMGR (Wang et al., IJCAI 2022).

Unsupervised misaligned infrared and visible image fusion; pairs here are aligned, so that neither
its image translation nor its registration is needed. Layers, widths and ranges are those of the
authors' code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.pointwise import PointwiseConv2d
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod
from fusion.methods.umf.config import UMFConfig


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3×3 with zeros beyond the border."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualDenseBlock(nn.Module):
    """Dense 3×3 convolutions, a 1×1 back to the input's channels, and the input: no biases."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.dense = nn.ModuleList(
            nn.Conv2d(number * channels, channels, 3, padding=1, bias=False)
            for number in range(1, layers + 1)
        )
        self.back = PointwiseConv2d((layers + 1) * channels, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        dense = features
        for layer in self.dense:
            dense = torch.cat([dense, F.relu(layer(dense))], dim=1)
        result: Tensor = self.back(dense) + features
        return result


class Interaction(nn.Module):
    """Two B×C×H×W -> the same: each mixed with what both agree on.

    One attention map, sigmoid(query(a) ⊙ key(b)), for both; each modality weighs its features and
    its attended features by two maps of its own.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = convolution(channels, channels)
        self.key = convolution(channels, channels)
        self.mix_infrared = convolution(2 * channels, 2)
        self.mix_visible = convolution(2 * channels, 2)

    def forward(self, infrared: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        attention = torch.sigmoid(self.query(infrared) * self.key(visible))
        return (
            _mixed(self.mix_infrared, infrared, infrared * attention),
            _mixed(self.mix_visible, visible, visible * attention),
        )


def _mixed(mix: nn.Module, plain: Tensor, attended: Tensor) -> Tensor:
    weights = mix(torch.cat([plain, attended], dim=1))
    result: Tensor = plain * weights[:, :1] + attended * weights[:, 1:]
    return result


class Encoder(nn.Module):
    """B×1×H×W -> B×channels×H×W."""

    def __init__(self, config: UMFConfig) -> None:
        super().__init__()
        self.head = convolution(1, config.channels)
        self.dense = ResidualDenseBlock(config.channels, config.layers)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.dense(F.leaky_relu(self.head(image), 0.2))
        return features


class UMFNetwork(FusionMethod[UMFConfig]):
    """Encoders of their own for infrared and visible luminance, interaction, two convolutions."""

    def __init__(self, config: UMFConfig) -> None:
        super().__init__(config)
        self.infrared = Encoder(config)
        self.visible = Encoder(config)
        self.interaction = Interaction(config.channels)
        self.merge = convolution(2 * config.channels, config.channels)
        self.out = convolution(config.channels, 1)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return self.fuse(infrared, luminance(visible)).clamp(0, 1)

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """Infrared and luminance B×1×H×W -> B×1×H×W float32 in (−1, 1), towards [0, 1]."""
        mixed = self.interaction(self.infrared(infrared), self.visible(visible))
        return torch.tanh(self.out(self.merge(torch.cat(mixed, dim=1))).float())

    def encoder_layers(self) -> EncoderLayers:
        infrared, visible = (
            {"head": encoder.head, "dense block": encoder.dense}
            for encoder in (self.infrared, self.visible)
        )
        return EncoderLayers(infrared, visible)
