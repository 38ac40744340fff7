"""ITFuse's training."""

import torch
from torch import Tensor, nn

from fusion.blocks.losses import StructuralSimilarity, weighted_sum
from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.itfuse.config import ITFuseLossConfig
from fusion.methods.itfuse.network import ITFuseNetwork


class ITFuseLoss(nn.Module):
    """The published loss, on luminance in [0, 1], in float32.

    intensity: Charbonnier, mean √((F − X)² + 1e-6), summed over both sources X.
    ssim: 1 − SSIM(F, X), summed over both.
    """

    def __init__(self, weights: ITFuseLossConfig) -> None:
        super().__init__()
        self.weights = weights
        self.ssim = StructuralSimilarity()

    def forward(self, fused: Tensor, infrared: Tensor, visible: Tensor) -> dict[str, Tensor]:
        """The weighted "loss" and its terms, from B×1×H×W each."""
        with torch.autocast(fused.device.type, enabled=False):
            fused, sources = fused.float(), [infrared, visible]
            distances = [((fused - source).square() + 1e-6).sqrt().mean() for source in sources]
            terms = {
                "intensity": torch.stack(distances).sum(),
                "ssim": (1 - torch.stack(self.ssim(fused, sources))).sum(),
            }
            return weighted_sum(self.weights, terms)


class ITFuseFusionPhase(TrainingPhase):
    """Everything is trained, towards both sources.

    Layers that are used many times in a pass normalize each time by that use's statistics, and all
    uses write into one running mean and variance, which fusing then takes: the two modes give
    different images, as with the authors.
    """

    method: ITFuseNetwork

    def __init__(self, network: ITFuseNetwork, weights: ITFuseLossConfig) -> None:
        super().__init__()
        self.method = network
        self.loss = ITFuseLoss(weights)
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        fused = self.method(batch.infrared, batch.visible)
        losses: dict[str, Tensor] = self.loss(fused, batch.infrared, luminance(batch.visible))
        return losses
