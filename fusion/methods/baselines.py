"""Trivial baselines: without them a leaderboard misleads.

`visible` and `infrared` are the two inputs; `average` and `maximum` are pixel-wise.
"""

from typing import ClassVar

import torch
from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import FusionMethod, register


@register("visible")
class Visible(FusionMethod):
    """The visible image's luminance: what a camera alone gives."""

    trivial: ClassVar[bool] = True

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return luminance(visible)


@register("infrared")
class Infrared(FusionMethod):
    """The infrared image: what a thermal camera alone gives."""

    trivial: ClassVar[bool] = True
    restores_color: ClassVar[bool] = False

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return infrared


@register("average")
class Average(FusionMethod):
    """Pixel-wise mean of infrared and visible luminance."""

    trivial: ClassVar[bool] = True

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return (infrared + luminance(visible)) / 2


@register("maximum")
class Maximum(FusionMethod):
    """Pixel-wise maximum of infrared and visible luminance."""

    trivial: ClassVar[bool] = True

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return torch.maximum(infrared, luminance(visible))
