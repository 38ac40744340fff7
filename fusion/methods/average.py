"""The mean of both images: a trivial baseline."""

from typing import ClassVar

from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import FusionMethod, register


@register("average")
class Average(FusionMethod):
    """Pixel-wise mean of infrared and visible luminance."""

    trivial: ClassVar[bool] = True

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return (infrared + luminance(visible)) / 2
