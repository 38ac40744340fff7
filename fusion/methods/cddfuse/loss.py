"""CDDFuse's losses: of reconstruction, of fusion, and of the decomposition in both."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.losses import (
    Border,
    SobelGradient,
    SobelMagnitude,
    StructuralSimilarity,
    maximum_terms,
    weighted_sum,
)
from fusion.images.color import luminance
from fusion.methods.base import Batch
from fusion.methods.cddfuse.config import (
    CDDFuseFusionLossConfig,
    CDDFuseReconstructionLossConfig,
)
from fusion.methods.cddfuse.encoder import Features
from fusion.methods.cddfuse.network import CDDFuseNetwork


class ReconstructionLoss(nn.Module):
    """Reconstruct each image from its own features; the image itself is the decoder's skip.

    ssim, mse: (1 − SSIM) / 2 and mean squared error, infrared plus visible.
    gradient: mean |∇V − ∇V̂|, both components, slope per pixel, replicate padding.
    decomposition: `decomposition`.
    """

    def __init__(self, weights: CDDFuseReconstructionLossConfig) -> None:
        super().__init__()
        self.weights = weights
        self.ssim = StructuralSimilarity()
        self.gradient = SobelGradient("replicate", divisor=8)

    def forward(self, network: CDDFuseNetwork, batch: Batch) -> dict[str, Tensor]:
        """The terms and their weighted sum "loss"; the fusion layers are not used."""
        images = (batch.infrared, luminance(batch.visible))
        features = network.encode(*images)
        rebuilt = list(map(network.decode, features, images))
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


class FusionLoss(nn.Module):
    """The targets are the brighter pixel and the stronger edge.

    intensity: mean |F − max(I, V)|.
    gradient: mean | |∇F| − max(|∇I|, |∇V|) |, |∇x| = |S_x∗x| + |S_y∗x|.
    decomposition: `decomposition`.

    Args:
        weights: of the three terms.
        border: padding of the Sobel operator; the authors' code pads with zeros ("constant").
    """

    def __init__(self, weights: CDDFuseFusionLossConfig, border: Border) -> None:
        super().__init__()
        self.weights = weights
        self.gradient = SobelMagnitude(border)

    def forward(self, network: CDDFuseNetwork, batch: Batch) -> dict[str, Tensor]:
        """The terms and their weighted sum "loss"."""
        infrared, visible = batch.infrared, luminance(batch.visible)
        features = network.encode(infrared, visible)
        fused = network.fuse(*features, visible)
        with torch.autocast(fused.device.type, enabled=False):
            terms = maximum_terms(self.gradient, fused.float(), infrared, visible)
            terms["decomposition"] = decomposition(*features)
            return weighted_sum(self.weights, terms)


def decomposition(infrared: Features, visible: Features) -> Tensor:
    """CC(D_i, D_v)² / (1.01 + CC(B_i, B_v)): a scalar, small if only the base is shared."""
    detail = correlation(infrared.detail, visible.detail)
    return detail.square() / (1.01 + correlation(infrared.base, visible.base))


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation along the pixels, mean over images and channels: B×C×H×W twice -> scalar.

    Choice: a standard deviation below 1e-4 counts as 1e-4, so that constant features (of a
    black image) have no correlation and no huge gradient.
    """
    x, y = (
        features - features.mean(-1, keepdim=True)
        for features in (first.float().flatten(2), second.float().flatten(2))
    )
    deviations = [
        (torch.linalg.vector_norm(z, dim=-1) / z.shape[-1] ** 0.5).clamp_min(1e-4) for z in (x, y)
    ]
    correlations: Tensor = (x * y).mean(-1) / (deviations[0] * deviations[1])
    return correlations.mean()
