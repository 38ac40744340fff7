"""Two-scale fusion by saliency, TIF (Bavirisetti & Dhuli, Infrared Phys. Technol. 2016).

The filter sizes are the paper's; borders are a choice: replicated, where the authors' code wraps
the mean filter around to the opposite side and pads the median filter with black.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from fusion.blocks.filters import mean_filter, median_filter
from fusion.core.config import Config
from fusion.methods.base import register
from fusion.methods.classical import ClassicalMethod, WindowSize, share


class TwoScaleConfig(Config):
    """Settings of TIF.

    mean_size: side of the mean filter that gives the base and, with the median, the saliency.
    median_size: side of the median filter, which removes noise but keeps edges.
    exponent: saliency is |mean − median| to this power; 2 is what the authors' code computes.
    """

    mean_size: WindowSize = 35
    median_size: WindowSize = 3
    exponent: float = Field(1.0, gt=0)


@register("two_scale")
class TwoScale(ClassicalMethod):
    """Mean of the bases plus details in proportion to their saliencies (equal where both are 0)."""

    config_class: ClassVar[type[Config]] = TwoScaleConfig
    config: TwoScaleConfig

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        base, saliency = self.scales(infrared)
        other_base, other_saliency = self.scales(visible)
        weight = share(saliency, other_saliency)
        detail = torch.lerp(visible - other_base, infrared - base, weight)
        return (base + other_base) / 2 + detail

    def scales(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Base and saliency of an image: B×1×H×W each."""
        base = mean_filter(image, self.config.mean_size)
        distance = (base - median_filter(image, self.config.median_size)).abs()
        return base, distance.pow(self.config.exponent)
