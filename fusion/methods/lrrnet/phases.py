"""LRRNet's training.

The authors' optimizer also shrinks weights (decay 0.9, which acts where the loss has no gradient),
and their patches are whole images made smaller; here nothing is shrunk, and patches are crops.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.losses import SobelGradient, weighted_sum
from fusion.blocks.vgg import VGGFeatures
from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.lrrnet.config import LRRNetFusionPhaseConfig, LRRNetLossConfig
from fusion.methods.lrrnet.network import LRRNetNetwork

STAGES = 4


class GradientPyramid(nn.Module):
    """|S_x ∗ x|, |S_y ∗ x| of an image and of its means over 2², 4², 8² pixels.

    Stands for VGG's features where there is no file of them (choice). Slopes per pixel keep the
    terms in the order that the published weights balance.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sobel = SobelGradient(divisor=8)

    def forward(self, image: Tensor) -> list[Tensor]:
        """B×1×H×W -> B×2×H/2ᵏ×W/2ᵏ, k = 0 to 3."""
        levels = [image]
        for _ in range(STAGES - 1):
            levels.append(F.avg_pool2d(levels[-1], 2))
        return [self.sobel(level).abs() for level in levels]


class LRRNetLoss(nn.Module):
    """The published loss, on luminance in 0..255, in float32; φ₁ to φ₄ are features, finest first.

    pixel: MSE(F, V).
    shallow: MSE(φ₁(F), φ₁(V)).
    middle, deep: MSE(φ(F), a·φ(I) + b·φ(V)) with φ₂ and φ₃; a, b are the weights `infrared` and
        `visible`.
    gram: MSE of the Gram matrices of φ₄(F) and φ₄(I), divided by elements.

    No term compares infrared pixels.
    """

    def __init__(self, weights: LRRNetLossConfig, features: nn.Module) -> None:
        super().__init__()
        self.weights = weights
        self.features = features

    def forward(self, fused: Tensor, infrared: Tensor, visible: Tensor) -> dict[str, Tensor]:
        """The weighted "loss" and its terms, from B×1×H×W in [0, 1] each."""
        with torch.autocast(fused.device.type, enabled=False):
            weights = self.weights
            images = torch.cat([fused.float(), infrared, visible]) * 255
            f, i, v = zip(*(level.chunk(3) for level in self.features(images)), strict=True)
            wanted = [weights.infrared * a + weights.visible * b for a, b in zip(i, v, strict=True)]
            terms = {
                "pixel": F.mse_loss(fused * 255, visible * 255),
                "shallow": F.mse_loss(f[0], v[0]),
                "middle": F.mse_loss(f[1], wanted[1]),
                "deep": F.mse_loss(f[2], wanted[2]),
                "gram": F.mse_loss(gram(f[3]), gram(i[3])),
            }
            return weighted_sum(weights, terms)


def gram(features: Tensor) -> Tensor:
    """φ φᵀ / (C·H·W): B×C×H×W -> B×C×C."""
    flat = features.flatten(2)
    return flat @ flat.mT / flat[0].numel()


class LRRNetFusionPhase(TrainingPhase):
    """Everything is trained, on stretched patches."""

    method: LRRNetNetwork

    def __init__(self, network: LRRNetNetwork, settings: LRRNetFusionPhaseConfig) -> None:
        super().__init__()
        self.method = network
        file = settings.vgg16
        features = VGGFeatures(Path(file), 16, STAGES) if file else GradientPyramid()
        self.loss = LRRNetLoss(settings.loss, features)
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        fused = self.method(batch.infrared, batch.visible)
        losses: dict[str, Tensor] = self.loss(fused, batch.infrared, luminance(batch.visible))
        return losses
