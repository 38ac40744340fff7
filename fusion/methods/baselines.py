"""Trivial baselines: without them a leaderboard misleads.

`visible` and `infrared` are the two inputs; `average` and `maximum` are pixel-wise.
"""

import torch
from torch import Tensor

from fusion.color import luminance
from fusion.methods.base import FusionMethod, register


@register("visible")
class Visible(FusionMethod):
    """The visible image's luminance: what a camera alone gives."""

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return luminance(visible)


@register("infrared")
class Infrared(FusionMethod):
    """The infrared image: what a thermal camera alone gives."""

    restores_color = False

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return infrared


@register("average")
class Average(FusionMethod):
    """Pixel-wise mean of infrared and visible luminance."""

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return (infrared + luminance(visible)) / 2


@register("maximum")
class Maximum(FusionMethod):
    """Pixel-wise maximum of infrared and visible luminance."""

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return torch.maximum(infrared, luminance(visible))
