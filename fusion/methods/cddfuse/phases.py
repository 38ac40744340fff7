"""CDDFuse's two training phases."""

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.blocks.losses import SobelGradient, SobelMagnitude, StructuralSimilarity, weighted_sum
from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.cddfuse.config import (
    CDDFuseFusionLossConfig,
    CDDFuseReconstructionLossConfig,
)
from fusion.methods.cddfuse.loss import decomposition
from fusion.methods.cddfuse.network import CDDFuseNetwork


class CDDFuseReconstructionPhase(TrainingPhase):
    """Reconstruct each image from its own features; the image itself is the decoder's skip.

    ssim, mse: (1 − SSIM) / 2 and mean squared error, infrared plus visible.
    gradient: mean |∇V − ∇V̂|, both components, slope per pixel, replicate padding.
    decomposition: `decomposition`.
    """

    method: CDDFuseNetwork

    def __init__(self, network: CDDFuseNetwork, weights: CDDFuseReconstructionLossConfig) -> None:
        super().__init__()
        self.method = network
        self.weights = weights
        self.ssim = StructuralSimilarity()
        self.gradient = SobelGradient("replicate", divisor=8)
        self.train()
        for waiting in (network.base_fusion, network.detail_fusion):
            waiting.requires_grad_(False).eval()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        images = (batch.infrared, luminance(batch.visible))
        features = self.method.encode(*images)
        rebuilt = list(map(self.method.decode, features, images))
        with torch.autocast(images[0].device.type, enabled=False):
            dissimilarities = [
                (1 - self.ssim(output.float(), [image])[0]) / 2
                for output, image in zip(rebuilt, images, strict=True)
            ]
            errors = [
                F.mse_loss(output.float(), image)
                for output, image in zip(rebuilt, images, strict=True)
            ]
            terms = {
                "ssim": torch.stack(dissimilarities).sum(),
                "mse": torch.stack(errors).sum(),
                "gradient": self.gradient(images[1] - rebuilt[1].float()).abs().mean(),
                "decomposition": decomposition(*features),
            }
            return weighted_sum(self.weights, terms)


class CDDFuseFusionPhase(TrainingPhase):
    """Train all weights; the targets are the brighter pixel and the stronger edge.

    intensity: mean |F − max(I, V)|.
    gradient: mean | |∇F| − max(|∇I|, |∇V|) |, |∇x| = |S_x∗x| + |S_y∗x| (choice: reflect padding).
    decomposition: `decomposition`.
    """

    method: CDDFuseNetwork

    def __init__(self, network: CDDFuseNetwork, weights: CDDFuseFusionLossConfig) -> None:
        super().__init__()
        self.method = network
        self.weights = weights
        self.gradient = SobelMagnitude()
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        infrared, visible = batch.infrared, luminance(batch.visible)
        features = self.method.encode(infrared, visible)
        fused = self.method.fuse(*features, visible)
        with torch.autocast(fused.device.type, enabled=False):
            fused = fused.float()
            edges = self.gradient(torch.cat([fused, infrared, visible])).chunk(3)
            terms = {
                "intensity": F.l1_loss(fused, torch.maximum(infrared, visible)),
                "gradient": F.l1_loss(edges[0], torch.maximum(edges[1], edges[2])),
                "decomposition": decomposition(*features),
            }
            return weighted_sum(self.weights, terms)
