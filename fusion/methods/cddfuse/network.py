"""CDDFuse: Correlation-Driven Dual-Branch Feature Decomposition (Zhao et al., CVPR 2023).

One encoder splits each modality into base features, which the modalities should share, and detail
features, which they should not. Phase one reconstructs every image from its own features; phase
two fuses the features. Layers and weights are those of the authors' code; "choice" marks the rest.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.dense_attention import DenseAttentionBlock
from fusion.blocks.depthwise import DepthwiseConv2d
from fusion.blocks.losses import SobelGradient, SobelMagnitude, StructuralSimilarity, weighted_sum
from fusion.blocks.restormer import RestormerConfig, RestormerDecoder, restormer_blocks
from fusion.core.config import Config
from fusion.images.color import luminance
from fusion.methods.base import (
    Batch,
    EncoderLayers,
    FusionMethod,
    PhaseConfig,
    TrainingPhase,
    register,
)


class CDDFuseConfig(RestormerConfig):
    """CDDFuse's network; `nodes` is the depth of the encoder's detail branch."""

    nodes: int = Field(3, ge=1)


class ReconstructionWeights(Config):
    """Weights of phase one; see `ReconstructionPhase`."""

    ssim: float = Field(5.0, ge=0)
    mse: float = Field(1.0, ge=0)
    gradient: float = Field(5.0, ge=0)
    decomposition: float = Field(2.0, ge=0)


class FusionWeights(Config):
    """Weights of phase two; see `FusionPhase`."""

    intensity: float = Field(1.0, ge=0)
    gradient: float = Field(10.0, ge=0)
    decomposition: float = Field(2.0, ge=0)


class Reconstruction(PhaseConfig):
    """Encoder and decoder are trained; the fusion layers wait."""

    loss: ReconstructionWeights = ReconstructionWeights()


class Fusion(PhaseConfig):
    """Encoder, decoder and fusion layers are trained together."""

    loss: FusionWeights = FusionWeights()


class Bottleneck(nn.Sequential):
    """Inverted residual without the residual: 1×1 to 2C, 3×3 depthwise, 1×1 back; no biases."""

    def __init__(self, channels: int) -> None:
        hidden = 2 * channels
        super().__init__(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU6(),
            DepthwiseConv2d(hidden, 3, bias=False, padding_mode="reflect"),
            nn.ReLU6(),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )


class InvertibleNode(nn.Module):
    """Affine coupling of two halves after a 1×1 mixing: B×C×H×W -> B×C×H×W, no information lost.

    z2 += φ(z1), then z1 = z1 · exp(ρ(z2)) + η(z2).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 1)
        self.phi = Bottleneck(channels // 2)
        self.rho = Bottleneck(channels // 2)
        self.eta = Bottleneck(channels // 2)

    def forward(self, features: Tensor) -> Tensor:
        first, second = self.mix(features).chunk(2, dim=1)
        second = second + self.phi(first)
        first = first * self.rho(second).exp() + self.eta(second)
        return torch.cat([first, second], dim=1)


class Features(NamedTuple):
    """What the encoder makes of a batch of images, B×C×H×W each."""

    base: Tensor
    detail: Tensor


def _base_block(config: CDDFuseConfig) -> DenseAttentionBlock:
    """Attention on the base features; zeros lie beyond the border, as in the authors' code."""
    return DenseAttentionBlock(config.channels, config.heads, padding_mode="zeros")


class Encoder(nn.Module):
    """B×1×H×W in [0, 1] -> base and detail features; one encoder for both modalities."""

    def __init__(self, config: CDDFuseConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, config.channels, 3, padding=1, bias=False)
        self.blocks = restormer_blocks(config)
        self.base = _base_block(config)
        self.detail = nn.Sequential(*(InvertibleNode(config.channels) for _ in range(config.nodes)))

    def forward(self, image: Tensor) -> Features:
        shared = self.blocks(self.stem(image))
        return Features(self.base(shared), self.detail(shared))


@register("cddfuse")
class CDDFuse(FusionMethod):
    """Shared encoder, a fusion layer for base and one for detail, decoder with the visible image.

    Needs no sides that divide by anything: nothing is ever made smaller.
    """

    config_class: ClassVar[type[Config]] = CDDFuseConfig
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = {
        "reconstruction": Reconstruction,
        "fusion": Fusion,
    }

    def __init__(self, config: CDDFuseConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config)
        self.decoder = RestormerDecoder(config)
        self.base_fusion = _base_block(config)
        self.detail_fusion = InvertibleNode(config.channels)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        visible = luminance(visible)
        return self.fuse(*self.encode(infrared, visible), visible)

    def encode(self, infrared: Tensor, visible: Tensor) -> tuple[Features, Features]:
        """Features of infrared and of visible luminance, B×1×H×W each."""
        both = self.encoder(torch.cat([infrared, visible]))
        infrared_base, visible_base = both.base.unflatten(0, (2, -1))
        infrared_detail, visible_detail = both.detail.unflatten(0, (2, -1))
        return Features(infrared_base, infrared_detail), Features(visible_base, visible_detail)

    def fuse(self, infrared: Features, visible: Features, skip: Tensor) -> Tensor:
        """Fused luminance in [0, 1]; `skip` is the visible luminance, B×1×H×W."""
        base = self.base_fusion(infrared.base + visible.base)
        detail = self.detail_fusion(infrared.detail + visible.detail)
        return self.decode(Features(base, detail), skip)

    def decode(self, features: Features, skip: Tensor) -> Tensor:
        """Luminance B×1×H×W in [0, 1] of features and the image that they are added to."""
        return self.decoder(torch.cat(features, dim=1), skip)

    def encoder_layers(self) -> EncoderLayers:
        encoder = self.encoder
        blocks = {f"block {number}": block for number, block in enumerate(encoder.blocks, start=1)}
        layers = {"stem": encoder.stem, **blocks, "base": encoder.base, "detail": encoder.detail}
        return EncoderLayers(layers, layers)

    @classmethod
    def start_phase(
        cls, name: str, config: Config, settings: PhaseConfig, previous: FusionMethod | None
    ) -> TrainingPhase:
        network = cls(cast(CDDFuseConfig, config))
        if isinstance(settings, Reconstruction):
            return ReconstructionPhase(network, settings.loss)
        if previous is None:
            raise ValueError("phase fusion of cddfuse starts from the weights of reconstruction")
        network.load_state_dict(previous.state_dict())
        return FusionPhase(network, cast(Fusion, settings).loss)


class ReconstructionPhase(TrainingPhase):
    """Each image from its own features, itself being the decoder's skip image.

    ssim, mse: (1 − SSIM) / 2 and mean squared error, infrared plus visible.
    gradient: mean |∇V − ∇V̂|, both components, slope per pixel, replicate padding.
    decomposition: `decomposition`.
    """

    method: CDDFuse

    def __init__(self, network: CDDFuse, weights: ReconstructionWeights) -> None:
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


class FusionPhase(TrainingPhase):
    """Everything is trained, towards the brighter pixel and the stronger edge.

    intensity: mean |F − max(I, V)|.
    gradient: mean | |∇F| − max(|∇I|, |∇V|) |, |∇x| = |S_x∗x| + |S_y∗x| (choice: reflect padding).
    decomposition: `decomposition`.
    """

    method: CDDFuse

    def __init__(self, network: CDDFuse, weights: FusionWeights) -> None:
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


def decomposition(infrared: Features, visible: Features) -> Tensor:
    """CC(D_i, D_v)² / (1.01 + CC(B_i, B_v)): a scalar, small if only the base is shared."""
    detail = correlation(infrared.detail, visible.detail)
    return detail.square() / (1.01 + correlation(infrared.base, visible.base))


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation along the pixels, mean over images and channels: B×C×H×W twice -> scalar.

    Choice: a standard deviation below 1e-4 counts as 1e-4, so that what is constant (features of a
    black image) correlates with nothing and sends back no giant gradient.
    """
    x, y = (
        features - features.mean(-1, keepdim=True)
        for features in (first.float().flatten(2), second.float().flatten(2))
    )
    deviations = [
        (torch.linalg.vector_norm(z, dim=-1) / z.shape[-1] ** 0.5).clamp_min(1e-4) for z in (x, y)
    ]
    return ((x * y).mean(-1) / (deviations[0] * deviations[1])).mean()
