"""EMMA's distance between two images."""

import torch
from torch import Tensor, nn

from fusion.blocks.losses import SobelGradient


class IntensityGradientDistance(nn.Module):
    """mean |x − y| + mean |∇x − ∇y| of two B×1×H×W, in float32.

    ∇ is both components of the Sobel operator, as slopes per pixel, with replicate padding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gradient = SobelGradient(border="replicate", divisor=8)

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            difference = image.float() - reference.float()
            intensity = difference.abs().mean()
            slopes: Tensor = self.gradient(difference)
            return intensity + slopes.abs().mean()
