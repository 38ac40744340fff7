"""Guided filter fusion, GFF (Li, Kang & Hu, IEEE Trans. Image Process. 2013).

All numbers in the settings are the paper's. From the authors' code, where the paper is silent: the
four-neighbor Laplacian, replicated borders, and refined weights cut to [0, 1] before they are
normalized (not rounded to 8 bits, which that code does as well).
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from fusion.blocks.filters import guided_filter, laplacian, mean_filter, separable
from fusion.blocks.losses import gaussian_window
from fusion.core.config import Config
from fusion.methods.base import register
from fusion.methods.classical import ClassicalMethod, WindowSize, share


class GuidedFilterConfig(Config):
    """Settings of GFF; epsilons are for images in [0, 1].

    mean_size: side of the mean filter that splits an image into base and detail.
    gaussian_size, gaussian_sigma: Gaussian that turns the Laplacian's magnitude into saliency.
    base_radius, base_epsilon: guided filter of the base's weights: wide and smooth.
    detail_radius, detail_epsilon: guided filter of the detail's weights: narrow, along edges.
    """

    mean_size: WindowSize = 31
    gaussian_size: WindowSize = 11
    gaussian_sigma: float = Field(5.0, gt=0)
    base_radius: int = Field(45, ge=1)
    base_epsilon: float = Field(0.3, gt=0)
    detail_radius: int = Field(7, ge=1)
    detail_epsilon: float = Field(1e-6, gt=0)


@register("guided_filter")
class GuidedFilter(ClassicalMethod):
    """Weighted means of bases and of details; weights follow saliency, refined along edges."""

    config_class: ClassVar[type[Config]] = GuidedFilterConfig
    config: GuidedFilterConfig

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        config = self.config
        difference = self.saliency(infrared) - self.saliency(visible)
        winner = torch.heaviside(difference, difference.new_tensor(0.5))  # ties are shared: choice
        base_weight = _refined(infrared, visible, winner, config.base_radius, config.base_epsilon)
        detail_weight = _refined(
            infrared, visible, winner, config.detail_radius, config.detail_epsilon
        )
        base = mean_filter(infrared, config.mean_size)
        other_base = mean_filter(visible, config.mean_size)
        fused_base = torch.lerp(other_base, base, base_weight)
        return fused_base + torch.lerp(visible - other_base, infrared - base, detail_weight)

    def saliency(self, image: Tensor) -> Tensor:
        """Gaussian mean of the Laplacian's magnitude: B×1×H×W -> B×1×H×W."""
        window = gaussian_window(self.config.gaussian_size, self.config.gaussian_sigma)
        return separable(laplacian(image).abs(), window.tolist())


def _refined(
    infrared: Tensor, visible: Tensor, winner: Tensor, radius: int, epsilon: float
) -> Tensor:
    """Infrared's share of the two weight maps, each filtered with its own image as the guide."""
    weight = guided_filter(infrared, winner, radius, epsilon).clamp(0, 1)
    other = guided_filter(visible, 1 - winner, radius, epsilon).clamp(0, 1)
    return share(weight, other)
