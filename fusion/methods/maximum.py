"""The brighter pixel of both images: a trivial baseline."""

from typing import ClassVar

import torch
from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import FusionMethod, register


@register("maximum")
class Maximum(FusionMethod):
    """Pixel-wise maximum of infrared and visible luminance."""

    trivial: ClassVar[bool] = True

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return torch.maximum(infrared, luminance(visible))
