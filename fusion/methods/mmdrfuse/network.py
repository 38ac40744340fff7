"""MMDRFuse: a mini-model distilled with dynamic refresh (Deng et al., ACM MM 2024).

A student of two convolutions, and the teacher that it is distilled from. Layers, widths and ranges
are those of the authors' code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.padding import pad_to_multiple
from fusion.images.color import luminance
from fusion.methods.base import FusionMethod
from fusion.methods.mmdrfuse.config import MMDRFuseConfig


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3×3 with reflected borders."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, padding_mode="reflect")


class Student(nn.Module):
    """B×2×H×W, infrared first -> hidden features B×width×H×W and the head's image B×1×H×W."""

    def __init__(self, config: MMDRFuseConfig) -> None:
        super().__init__()
        self.hidden = convolution(2, config.width)
        self.head = convolution(config.width, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.hidden(images))
        return hidden, torch.tanh(self.head(hidden))


class Teacher(nn.Module):
    """The same from a U-Net of two levels with dense skips; any H, W ≥ 2.

    `hidden` and `head` have the shapes of the student's.
    """

    def __init__(self, config: MMDRFuseConfig) -> None:
        super().__init__()
        fine, coarse = config.teacher_width, 2 * config.teacher_width
        self.encoder1 = convolution(2, fine)
        self.encoder2 = convolution(fine, fine)
        self.encoder3 = convolution(2 * fine, coarse, stride=2)
        self.encoder4 = convolution(coarse, coarse)
        self.encoder5 = convolution(2 * coarse, coarse)
        self.encoder6 = convolution(3 * coarse, coarse)
        self.decoder6 = convolution(coarse, coarse)
        self.decoder5 = convolution(2 * coarse, coarse)
        self.decoder4 = convolution(2 * coarse, coarse)
        self.decoder3 = convolution(2 * coarse, coarse)
        self.decoder2 = convolution(fine + coarse, fine)
        self.hidden = convolution(2 * fine, config.width)
        self.head = convolution(config.width, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        height, width = images.shape[-2:]
        e1 = F.relu(self.encoder1(pad_to_multiple(images, 2)))
        e2 = F.relu(self.encoder2(e1))
        e3 = F.relu(self.encoder3(torch.cat([e1, e2], dim=1)))
        e4 = F.relu(self.encoder4(e3))
        e5 = F.relu(self.encoder5(torch.cat([e3, e4], dim=1)))
        e6 = F.relu(self.encoder6(torch.cat([e3, e4, e5], dim=1)))
        d6 = F.relu(self.decoder6(e6))
        d5 = F.relu(self.decoder5(torch.cat([e5, d6], dim=1)))
        d4 = F.relu(self.decoder4(torch.cat([e4, d5], dim=1)))
        d3 = F.relu(self.decoder3(torch.cat([e3, d4], dim=1)))
        risen = F.interpolate(d3, scale_factor=2, mode="bicubic", align_corners=False)
        d2 = F.relu(self.decoder2(torch.cat([e2, risen], dim=1)))
        hidden = F.relu(self.hidden(torch.cat([e1, d2], dim=1)))
        image = torch.tanh(self.head(hidden))
        return hidden[..., :height, :width], image[..., :height, :width]


class MMDRFuseNetwork(FusionMethod[MMDRFuseConfig]):
    """Infrared and visible luminance, stacked, to the clipped output of student or teacher.

    The authors' saving stretches every image to its own full range; the paper's table is of
    images that were not stretched, and nor are these.
    """

    def __init__(self, config: MMDRFuseConfig) -> None:
        super().__init__(config)
        self.network = Student(config) if config.network == "student" else Teacher(config)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        _, fused = self.encode(infrared, visible)
        return fused.float().clamp(0, 1)

    def encode(self, infrared: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """The last hidden features, and what is fused from them, in (−1, 1)."""
        output: tuple[Tensor, Tensor] = self.network(torch.cat([infrared, luminance(visible)], 1))
        return output
