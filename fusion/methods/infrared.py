"""The infrared image as the fused image: a trivial baseline."""

from typing import ClassVar

from torch import Tensor

from fusion.methods.base import FusionMethod, register


@register("infrared")
class Infrared(FusionMethod):
    """The infrared image, unchanged."""

    trivial: ClassVar[bool] = True
    restores_color: ClassVar[bool] = False

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return infrared
