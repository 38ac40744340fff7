"""The visible image as the fused image: a trivial baseline."""

from typing import ClassVar

from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import FusionMethod, register


@register("visible")
class Visible(FusionMethod):
    """The visible image's luminance, unchanged."""

    trivial: ClassVar[bool] = True

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return luminance(visible)
