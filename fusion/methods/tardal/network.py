"""TarDAL: target-aware dual adversarial learning (Liu et al., CVPR 2022).

A dense generator, trained against two critics. Layers, widths and ranges are those of the authors'
code.
"""

import torch
from torch import Tensor, nn

from fusion.blocks.normalization import ImageBatchNorm
from fusion.images.color import luminance
from fusion.methods.base import FusionMethod
from fusion.methods.tardal.config import TarDALConfig


class Generator(nn.Module):
    """B×2×H×W, infrared first -> B×1×H×W in (−1, 1)."""

    def __init__(self, config: TarDALConfig) -> None:
        super().__init__()
        width, features = config.width, (config.depth + 1) * config.width

        def layer(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, padding=1),
                ImageBatchNorm(outputs, config.statistics),
                nn.ReLU(),
            )

        self.stem = layer(2, width)
        self.dense = nn.ModuleList(
            layer(number * width, width) for number in range(1, config.depth + 1)
        )
        self.head = nn.Sequential(
            nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.ReLU()),
            layer(features, 2 * width),
            layer(2 * width, width),
            nn.Conv2d(width, 1, 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        for layer in self.dense:
            features = torch.cat([features, layer(features)], dim=1)
        return torch.tanh(self.head(features).float())


class TarDALNetwork(FusionMethod[TarDALConfig]):
    """Infrared and visible luminance, stacked, to the generator's output; any size.

    What the generator puts below 0 becomes black: outputs are clipped, not scaled.
    """

    def __init__(self, config: TarDALConfig) -> None:
        super().__init__(config)
        self.generator = Generator(config)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return self.fuse(infrared, luminance(visible)).clamp(0, 1)

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """Infrared and luminance B×1×H×W -> B×1×H×W float32 in (−1, 1)."""
        fused: Tensor = self.generator(torch.cat([infrared, visible], dim=1))
        return fused
