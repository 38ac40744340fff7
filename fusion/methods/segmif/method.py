"""SegMiF: Multi-interactive Feature Learning for fusion and segmentation (Liu et al., ICCV 2023).

Two branches of dilated dense blocks, one a modality, exchange information twice with features of a
segmentation encoder. Layers and widths are those of the authors' code. Its training targets are
published for two sets only (MFNet and FMB), and no code makes them for others, so this method is
imported and fuses; it is not trained here.

The encoder sees a third image. The authors make it from saliency maps where they have them, and
take the visible image on other sets (TNO, RoadScene); `third` of the config chooses.
"""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.dilated_dense import DilatedResidualDenseBlock
from fusion.blocks.saliency import saliency_target
from fusion.core.config import Config
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod, register
from fusion.methods.segmif.config import SETTINGS, SegMiFConfig
from fusion.methods.segmif.interaction import InteractiveAttention
from fusion.methods.segmif.semantic import SMALLEST, SemanticEncoder


class Branch(nn.Module):
    """The layers of one modality: a stem, and a block before each interaction."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.blocks = nn.ModuleList(DilatedResidualDenseBlock(channels, growth) for _ in range(2))


@register("segmif")
class SegMiF(FusionMethod[SegMiFConfig]):
    """Two dense branches that interact with semantic features; all activations share one slope.

    Sides below 32 are padded with their last pixels. Global: attention sees the whole image.
    """

    config_class: ClassVar[type[Config]] = SETTINGS.config
    whole_image: ClassVar[bool] = True

    def __init__(self, config: SegMiFConfig) -> None:
        super().__init__(config)
        channels, width = config.channels, config.semantic_width
        self.semantic = SemanticEncoder(config)
        self.adapt = nn.ModuleList(nn.Conv2d(inputs, channels, 1) for inputs in (width, 2 * width))
        self.infrared = Branch(channels, config.growth)
        self.visible = Branch(channels, config.growth)
        self.interact = InteractiveAttention(channels, config.heads)
        self.activation = nn.PReLU()
        widths = [2 * channels, channels, channels // 2, 1]
        self.tail = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in pairwise(widths)
        )

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        height, width = infrared.shape[-2:]
        padding = (0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height))
        infrared, visible = (
            F.pad(image, padding, mode="replicate") for image in (infrared, luminance(visible))
        )
        saliency = self.config.third == "saliency"
        third = saliency_target(infrared, visible) if saliency else visible
        fused = self.fuse(infrared, visible, third.expand(-1, 3, -1, -1))
        return fused[..., :height, :width].clamp(0, 1)

    def fuse(self, infrared: Tensor, visible: Tensor, third: Tensor) -> Tensor:
        """The network's output, of no fixed range.

        Args:
            infrared, visible: B×1×H×W in [0, 1].
            third: the semantic encoder's input, B×3×H×W in [0, 1].
        """
        first = self.activation(self.infrared.stem(infrared))
        second = self.activation(self.visible.stem(visible))
        stages = zip(
            self.infrared.blocks,
            self.visible.blocks,
            self.adapt,
            self.semantic(third),
            strict=True,
        )
        for infrared_block, visible_block, adapt, features in stages:
            # a 1×1 convolution before the interpolation is the same as after it, and cheaper
            semantic = F.interpolate(
                adapt(features), infrared.shape[-2:], mode="bilinear", align_corners=False
            )
            first, second = self.interact(infrared_block(first), visible_block(second), semantic)
        fused = torch.cat([first, second], dim=1)
        for layer in self.tail:
            fused = self.activation(layer(fused))
        return fused.float()

    def encoder_layers(self) -> EncoderLayers:
        infrared, visible = (
            {"stem": branch.stem}
            | {f"block {number}": block for number, block in enumerate(branch.blocks, start=1)}
            for branch in (self.infrared, self.visible)
        )
        return EncoderLayers(infrared, visible)
