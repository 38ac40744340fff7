"""DeFusion: Fusion from Decomposition (Liang et al., ECCV 2022).

One network decomposes two images into a common part and a unique part of each, and renders the
fused image from their sum. It learns this from single images, each shown twice with different
parts hidden. Layers, widths and losses are those of the authors' code; "choice" marks the rest.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod
from fusion.methods.defusion.blocks import rise, stage
from fusion.methods.defusion.config import DeFusionConfig

BORDER = 16
"""Pixels of reflection around an image while it is fused, as in the authors' test program."""


class Decomposition(NamedTuple):
    """Feature maps of the common part and of each image's unique part, B×2·width×H×W."""

    common: Tensor
    first: Tensor
    second: Tensor


class Encoder(nn.Module):
    """B×3×H×W -> features of the full size, 1/2, 1/4 and 1/8, sides rounded up; finest first."""

    def __init__(self, config: DeFusionConfig) -> None:
        super().__init__()
        width, blocks = config.width, config.encoder_blocks
        self.stem = nn.Conv2d(3, 2 * width, 3, padding=1)
        self.stages = nn.ModuleList(
            [
                stage(2 * width, width, blocks[0], pooled=True),
                stage(4 * width, 2 * width, blocks[1]),
                stage(8 * width, 4 * width, blocks[2], stride=2, pooled=True),
                stage(16 * width, 8 * width, blocks[3], stride=2, pooled=True),
            ]
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        full, half, quarter, eighth = self.stages
        features = [full(F.relu(self.stem(image)))]
        features.append(half(F.max_pool2d(features[-1], 3, stride=2, padding=1)))
        features.append(quarter(features[-1]))
        features.append(eighth(features[-1]))
        return features


class Decoder(nn.Module):
    """Features of 1/8 of the size, with skips on the way up -> B×2·width×H×W.

    inputs, channels: of the four stages; the last stage has no skip.
    """

    def __init__(self, inputs: list[int], channels: list[int], blocks: list[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            stage(*sizes) for sizes in zip(inputs, channels, blocks, strict=True)
        )

    def forward(self, deepest: Tensor, skips: list[Tensor], size: torch.Size) -> Tensor:
        """`skips` are those of 1/4 and 1/2 of the size; `size` is H×W."""
        first, *middle, last = self.stages
        features = first(deepest)
        for layers, skip in zip(middle, skips, strict=True):
            features = layers(torch.cat([rise(features, skip.shape[-2:]), skip], dim=1))
        output: Tensor = last(rise(features, size))
        return output


class DeFusionNetwork(FusionMethod[DeFusionConfig]):
    """Shared encoder, an ensemble stage, decoders of the common and of the unique parts.

    The infrared image is the first of the two. Global: attention sees the whole image.
    """

    whole_image: ClassVar[bool] = True

    def __init__(self, config: DeFusionConfig) -> None:
        super().__init__(config)
        width = config.width
        self.encoder = Encoder(config)
        self.ensemble = stage(64 * width, 32 * width, config.ensemble_blocks)
        deepest = (192 if config.common_skips else 128) * width
        self.common = Decoder(
            [deepest, 64 * width, 24 * width, 2 * width],
            [8 * width, 2 * width, width // 2, width // 2],
            config.common_blocks,
        )
        self.unique = Decoder(
            [160 * width, 64 * width, 24 * width, 8 * width],
            [12 * width, 4 * width, 2 * width, width // 2],
            config.unique_blocks,
        )
        self.to_common, self.to_unique, self.to_fused = (
            nn.Conv2d(2 * width, 3, 3, padding=1) for _ in range(3)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        height, width = infrared.shape[-2:]
        down, across = min(BORDER, height - 1), min(BORDER, width - 1)
        images = (
            F.pad(image, (across, across, down, down), mode="reflect").expand(-1, 3, -1, -1)
            for image in (infrared, luminance(visible))
        )
        fused = self.fuse(self.decompose(*images))
        return luminance(fused.clamp(0, 1))[..., down : down + height, across : across + width]

    def decompose(self, first: Tensor, second: Tensor) -> Decomposition:
        """Decompose two images; B×3×H×W in [0, 1] each."""
        encoded = self.encoder(torch.cat([first, second]))
        pairs = [torch.cat(features.chunk(2), dim=1) for features in encoded]
        ensemble, size = self.ensemble(pairs[3]), encoded[0].shape[-2:]
        skips = self.config.common_skips
        deepest = torch.cat([ensemble, pairs[3]], dim=1) if skips else ensemble
        common = self.common(deepest, [pairs[2], pairs[1]], size)
        both = torch.cat([ensemble.repeat(2, 1, 1, 1), encoded[3]], dim=1)
        unique = self.unique(both, [encoded[2], encoded[1]], size)
        return Decomposition(common, *unique.chunk(2))

    def fuse(self, parts: Decomposition) -> Tensor:
        """The fused image, B×3×H×W, at least 0."""
        return F.relu(self.draw(parts).float())

    def draw(self, parts: Decomposition) -> Tensor:
        """The fused image before its ReLU."""
        output: Tensor = self.to_fused(parts.first + parts.second + parts.common)
        return output

    def encoder_layers(self) -> EncoderLayers:
        stages = {
            f"stage {number}": layers for number, layers in enumerate(self.encoder.stages, start=1)
        }
        layers = {"stem": self.encoder.stem, **stages}
        return EncoderLayers(layers, layers)
