"""BDLFusion: Bi-level Dynamic Learning for image fusion and beyond (Liu et al., IJCAI 2023).

A dilated, residual, densely connected network at full resolution. Layers and widths are those of
the authors' code. Its training starts from weights that the authors published, but no code makes
them, so this method is imported and fuses; it is not trained here.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from fusion.blocks.dilated_dense import DilatedResidualDenseBlock
from fusion.core.config import Config
from fusion.images.color import luminance
from fusion.methods.base import FusionMethod, register
from fusion.methods.bdlfusion.config import SETTINGS, BDLFusionConfig

BLOCKS = 2


@register("bdlfusion")
class BDLFusion(FusionMethod[BDLFusionConfig]):
    """Two dense blocks on both images together; all other activations share one slope.

    Every layer is local: a fused pixel depends on 47×47 pixels of the sources, so tiling does not
    change the result.
    """

    config_class: ClassVar[type[Config]] = SETTINGS.config

    def __init__(self, config: BDLFusionConfig) -> None:
        super().__init__(config)
        channels = config.channels
        self.head = nn.Conv2d(2, channels, 3, padding=1)
        self.blocks = nn.Sequential(
            *(DilatedResidualDenseBlock(channels, config.growth) for _ in range(BLOCKS))
        )
        self.reduce = nn.Conv2d(channels, channels // 2, 3, padding=1)
        self.last = nn.Conv2d(channels // 2, 1, 3, padding=1)
        self.activation = nn.PReLU()

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return self.fuse(infrared, luminance(visible)).clamp(0, 1)

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """The network's output, of no fixed range; both B×1×H×W in [0, 1]."""
        features = self.activation(self.head(torch.cat([infrared, visible], dim=1)))
        reduced = self.activation(self.reduce(self.blocks(features)))
        output: Tensor = self.activation(self.last(reduced)).float()
        return output
