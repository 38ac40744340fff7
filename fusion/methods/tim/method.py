"""TIM: a Task-guided, Implicitly-searched and Meta-initialized model (Liu et al., TPAMI 2024).

A first network fuses at several scales; a second one refines the result beside each source and
blends both by a mask. Operations, widths and their order are the result of the authors' search.
Search and training are not published, so this method is imported and fuses; it is not trained here.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from fusion.blocks.normalization import ImageBatchNorm
from fusion.blocks.padding import pad_to_multiple
from fusion.core.config import Config
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod, register
from fusion.methods.tim.config import SETTINGS, Statistics, TIMConfig
from fusion.methods.tim.operations import (
    Chain,
    ChannelOperation,
    DenseOperation,
    DilatedOperation,
    MultiScale,
    Operation,
    ResidualOperation,
    SpatialOperation,
)

MULTIPLE = 4
LIGHT = (ResidualOperation, ChannelOperation)


def reflect_conv(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    """Convolution with bias and reflected border, size kept."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, padding_mode="reflect")


def image_head(channels: int) -> nn.Sequential:
    """B×C×H×W -> B×1×H×W, of no fixed range."""
    return nn.Sequential(
        reflect_conv(channels, channels),
        nn.PReLU(),
        reflect_conv(channels, channels // 2),
        reflect_conv(channels // 2, 1, 1),
    )


class FirstNetwork(nn.Module):
    """Two images, concatenated to B×2×H×W, -> one, B×1×H×W, of no fixed range."""

    def __init__(self, channels: int, *, light: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            reflect_conv(2, 2 * channels),
            nn.PReLU(),
            reflect_conv(2 * channels, channels),
            nn.PReLU(),
        )
        if light:
            cells: list[nn.Module] = [Chain(channels, LIGHT, "running") for _ in range(2)]
        else:
            cells = [
                MultiScale(channels, (ResidualOperation, DilatedOperation), "running"),
                Chain(channels, (DenseOperation, DilatedOperation), "running"),
            ]
        self.cells = nn.Sequential(*cells)
        self.head = image_head(channels)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.head(self.cells(self.stem(images)))
        return output


class Stream(nn.Module):
    """Features of one source and the first network's output: B×2×H×W -> B×C×H×W.

    `head` draws an image from them; it served the authors' training and is not used in fusing.
    """

    def __init__(
        self, channels: int, operations: tuple[Operation, ...], statistics: Statistics
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            reflect_conv(2, 2 * channels),
            nn.PReLU(),
            reflect_conv(2 * channels, channels),
            ImageBatchNorm(channels, statistics),
            nn.PReLU(),
        )
        self.cells = nn.Sequential(*(Chain(channels, operations, statistics) for _ in range(2)))
        self.head = image_head(channels)

    def forward(self, source: Tensor, fused: Tensor) -> Tensor:
        output: Tensor = self.cells(self.stem(torch.cat([source, fused], dim=1)))
        return output


class SecondNetwork(nn.Module):
    """Refine a fused image, B×1×H×W, with both sources: two streams, blended by a mask.

    The mask sees each pixel's maximum over the visible features twice, as in the authors' code.
    """

    def __init__(self, channels: int, statistics: Statistics) -> None:
        super().__init__()
        self.visible = Stream(channels, (ChannelOperation, SpatialOperation), statistics)
        self.infrared = Stream(channels, (SpatialOperation, DilatedOperation), statistics)
        self.mask = nn.Conv2d(3, 1, 1, bias=False)
        self.head = nn.Sequential(
            reflect_conv(channels, channels),
            reflect_conv(channels, channels // 2),
            reflect_conv(channels // 2, 1, 1),
        )

    def forward(self, infrared: Tensor, visible: Tensor, fused: Tensor) -> Tensor:
        of_visible, of_infrared = self.visible(visible, fused), self.infrared(infrared, fused)
        maximum, mean = of_visible.amax(1, keepdim=True), of_visible.mean(1, keepdim=True)
        mask = torch.sigmoid(self.mask(torch.cat([maximum, maximum, mean], dim=1)))
        output: Tensor = self.head(mask * of_visible + (1 - mask) * of_infrared)
        return output


@register("tim")
class TIM(FusionMethod[TIMConfig]):
    """Both networks, or the first one with lighter cells alone.

    Sides that do not divide by 4 are reflected (choice). Global: gates, scale weights and, by
    default, normalization see the whole image.
    """

    config_class: ClassVar[type[Config]] = SETTINGS.config
    whole_image: ClassVar[bool] = True

    def __init__(self, config: TIMConfig) -> None:
        super().__init__(config)
        light = config.variant == "light"
        self.first = FirstNetwork(config.channels, light=light)
        self.second = None if light else SecondNetwork(config.channels, config.second_statistics)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        height, width = infrared.shape[-2:]
        images = (pad_to_multiple(image, MULTIPLE) for image in (infrared, luminance(visible)))
        return self.fuse(*images)[..., :height, :width].clamp(0, 1)

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """The network's output, of no fixed range; both B×1×H×W, sides multiples of 4.

        The light network's authors give it the visible image first.
        """
        if self.second is None:
            fused: Tensor = self.first(torch.cat([visible, infrared], dim=1))
        else:
            fused = self.first(torch.cat([infrared, visible], dim=1))
            fused = self.second(infrared, visible, fused)
        return fused.float()

    def encoder_layers(self) -> EncoderLayers:
        if self.second is None:
            return EncoderLayers({}, {})
        infrared, visible = (
            {"stem": stream.stem, "cell 1": stream.cells[0], "cell 2": stream.cells[1]}
            for stream in (self.second.infrared, self.second.visible)
        )
        return EncoderLayers(infrared, visible)
