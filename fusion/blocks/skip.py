"""A source image that a fusion network adds to, instead of drawing the fused image from nothing."""

import torch
from torch import Tensor

from fusion.blocks.config import Skip

DARKEST = 1 / 512
"""Half a gray level: keeps the logit of a black or white pixel finite."""


def skip_logit(skip: Skip, infrared: Tensor, luminance: Tensor) -> Tensor | float:
    """The term that is added to a network's output before its sigmoid.

    Args:
        skip: which image; "brighter" chooses at each pixel.
        infrared, luminance: B×1×H×W in [0, 1].

    Returns:
        The skip's logit, B×1×H×W float32, or 0 for none.
    """
    if skip == "none":
        return 0.0
    image = torch.maximum(infrared, luminance) if skip == "brighter" else luminance
    return torch.logit(image.float(), eps=DARKEST)
