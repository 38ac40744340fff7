"""SeAFusion's training: the content loss of its first round.

The authors train four rounds. From the second on they start again from new weights and add the loss
of a segmentation network, itself trained on what the round before fused. Here only the first round
exists.
"""

import torch
from torch import Tensor, nn

from fusion.blocks.losses import SobelMagnitude, maximum_terms, weighted_sum
from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.seafusion.config import SeAFusionLossConfig
from fusion.methods.seafusion.network import SeAFusionNetwork


class SeAFusionLoss(nn.Module):
    """The published content loss, on luminance in [0, 1], in float32.

    intensity: mean |F − max(I, V)|.
    gradient: mean |S(F) − max(S(I), S(V))|, S = |Sobel_x| + |Sobel_y| with zeros beyond the border.
    """

    def __init__(self, weights: SeAFusionLossConfig) -> None:
        super().__init__()
        self.weights = weights
        self.edges = SobelMagnitude("constant")

    def forward(self, fused: Tensor, infrared: Tensor, visible: Tensor) -> dict[str, Tensor]:
        """The weighted "loss" and its terms, from B×1×H×W each."""
        with torch.autocast(fused.device.type, enabled=False):
            terms = maximum_terms(self.edges, fused.float(), infrared, visible)
            return weighted_sum(self.weights, terms)


class SeAFusionFusionPhase(TrainingPhase):
    """Everything is trained, towards the brighter pixel and the stronger edge."""

    method: SeAFusionNetwork

    def __init__(self, network: SeAFusionNetwork, weights: SeAFusionLossConfig) -> None:
        super().__init__()
        self.method = network
        self.loss = SeAFusionLoss(weights)
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        fused = self.method(batch.infrared, batch.visible)
        losses: dict[str, Tensor] = self.loss(fused, batch.infrared, luminance(batch.visible))
        return losses
