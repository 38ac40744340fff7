"""MMA-UNet: a Multi-Modal Asymmetric UNet Architecture (Huang et al., ACM MM 2024).

One U-Net learns to reconstruct visible images, a second one, guided by the first, infrared images;
then both are frozen, and a third network fuses their features across depths. Layers, widths and
the fusion loss are those of the authors' code, which has no training; "choice" marks what is open.

Images are luminance in three equal planes, as published.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.layers import ChannelAttention
from fusion.blocks.losses import SobelMagnitude, StructuralSimilarity, weighted_sum
from fusion.blocks.padding import pad_to_multiple
from fusion.blocks.unet import MULTIPLE, Contraction, Expansion, level_widths, require_pixels
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
from fusion.methods.mmaunet.asymmetric import AsymmetricFusion

PLANES = 3


class MMAUNetConfig(Config):
    """`width` of the finest of five levels, doubled at each deeper one; `reduction` of the gates
    through which visible features guide infrared ones.
    """

    width: int = Field(64, ge=4, multiple_of=4)
    reduction: int = Field(16, ge=1)


class MMAUNetWeights(Config):
    """Weights of the loss, see `MMAUNetLoss`; reconstruction has those of fusion (choice)."""

    mse: float = Field(1.0, ge=0)
    ssim: float = Field(0.5, ge=0)
    edge: float = Field(10.0, ge=0)


class MMAUNetPhaseConfig(PhaseConfig):
    """Settings of each of the three phases."""

    loss: MMAUNetWeights = MMAUNetWeights()

    @model_validator(mode="after")
    def _enough_for_batch_normalisation(self) -> Self:
        require_pixels(self.batch_size, self.crop)
        return self


class GuidedGate(nn.Module):
    """Squeeze-excitation by another network's features: features · sigmoid(attention(guide))."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.attention = ChannelAttention(channels, reduction, bias=False)

    def forward(self, features: Tensor, guide: Tensor) -> Tensor:
        return features * torch.sigmoid(self.attention(guide))


class GuidedContraction(nn.Module):
    """The way down with a gate behind every level; what is gated goes deeper and into the skips."""

    def __init__(self, inputs: int, widths: Sequence[int], reduction: int) -> None:
        super().__init__()
        self.plain = Contraction(inputs, widths, bias=False)
        self.gates = nn.ModuleList(GuidedGate(width, reduction) for width in widths)

    def forward(self, image: Tensor, guides: Sequence[Tensor]) -> list[Tensor]:
        features: list[Tensor] = []
        for level, gate, guide in zip(self.plain.levels, self.gates, guides, strict=True):
            below = self.plain.pool(features[-1]) if features else image
            features.append(gate(level(below), guide))
        return features


class Decoder(nn.Module):
    """Features of every level, finest first -> B×3×H×W in [−1, 1]; used in training only."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        rise = partial(nn.ConvTranspose2d, kernel_size=2, stride=2)
        self.expansion = Expansion(widths, rise, bias=False)
        self.head = nn.Conv2d(widths[0], PLANES, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        return torch.tanh(self.head(self.expansion(features)).float())


class VisibleUNet(nn.Module):
    """The classic U-Net."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.encoder = Contraction(PLANES, widths, bias=False)
        self.decoder = Decoder(widths)


class InfraredUNet(nn.Module):
    """The same with a guided encoder."""

    def __init__(self, widths: Sequence[int], reduction: int) -> None:
        super().__init__()
        self.encoder = GuidedContraction(PLANES, widths, reduction)
        self.decoder = Decoder(widths)


@register("mmaunet")
class MMAUNet(FusionMethod):
    """Both U-Nets and the fusion network, from the first phase on.

    The fusion network's last layer is linear and learns towards images in [0, 1]: `forward` takes
    the mean of its three planes, which all learn the same, and clips it to [0, 1] (choice: the
    authors' code takes one plane, stretched). Its bias starts at mid-grey, and its weights at zero
    in phase `fusion` (choice): random ones draw noise, whose edges the loss punishes so hard that
    grey is all that is learned.
    """

    config_class: ClassVar[type[Config]] = MMAUNetConfig
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = {
        "visible": MMAUNetPhaseConfig,
        "infrared": MMAUNetPhaseConfig,
        "fusion": MMAUNetPhaseConfig,
    }

    def __init__(self, config: MMAUNetConfig) -> None:
        super().__init__(config)
        widths = level_widths(config.width)
        self.visible = VisibleUNet(widths)
        self.infrared = InfraredUNet(widths, config.reduction)
        self.fusion = AsymmetricFusion(widths, PLANES)
        nn.init.constant_(cast(Tensor, self.fusion.last.bias), 0.5)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        fused = self.fuse(infrared, luminance(visible))
        return fused.mean(1, keepdim=True).clamp(0, 1)

    def reconstruct_visible(self, visible: Tensor) -> Tensor:
        """Luminance B×1×H×W -> B×3×H×W in [−1, 1]."""
        return _crop(self.visible.decoder(self.visible.encoder(_planes(visible))), visible)

    def reconstruct_infrared(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """Infrared and luminance B×1×H×W -> infrared B×3×H×W in [−1, 1]."""
        features, _ = self.encode(infrared, visible)
        return _crop(self.infrared.decoder(features), infrared)

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """Infrared and luminance B×1×H×W -> fused B×3×H×W, not clipped."""
        return _crop(self.fusion(*self.encode(infrared, visible)).float(), infrared)

    def encode(self, infrared: Tensor, visible: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Infrared and visible features of every level of the padded images, finest first."""
        guides = self.visible.encoder(_planes(visible))
        return self.infrared.encoder(_planes(infrared), guides), guides

    def encoder_layers(self) -> EncoderLayers:
        infrared, visible = (
            {f"level {number}": module for number, module in enumerate(modules, start=1)}
            for modules in (self.infrared.encoder.gates, self.visible.encoder.levels)
        )
        return EncoderLayers(infrared, visible)

    @classmethod
    def start_phase(
        cls, name: str, config: Config, settings: PhaseConfig, previous: FusionMethod | None
    ) -> TrainingPhase:
        network = cls(cast(MMAUNetConfig, config))
        weights = cast(MMAUNetPhaseConfig, settings).loss
        if name == "visible":
            return VisiblePhase(network, network.visible, weights)
        if previous is None:
            before = "visible" if name == "infrared" else "infrared"
            raise ValueError(f"phase {name} of mmaunet starts from the weights of phase {before}")
        network.load_state_dict(previous.state_dict())
        if name == "infrared":
            return InfraredPhase(network, network.infrared, weights)
        nn.init.zeros_(network.fusion.last.weight)
        return FusionPhase(network, network.fusion, weights)


def _planes(luma: Tensor) -> Tensor:
    """B×1×H×W -> three equal planes, sides padded for the networks."""
    return pad_to_multiple(luma, MULTIPLE).expand(-1, PLANES, -1, -1)


def _crop(images: Tensor, like: Tensor) -> Tensor:
    return images[..., : like.shape[-2], : like.shape[-1]]


class MMAUNetPhase(TrainingPhase):
    """One of the three networks is trained; the others are frozen and in eval mode."""

    method: MMAUNet

    def __init__(self, network: MMAUNet, trained: nn.Module, weights: MMAUNetWeights) -> None:
        super().__init__()
        self.method = network
        self.loss = MMAUNetLoss(weights)
        network.requires_grad_(False).eval()
        trained.requires_grad_(True).train()


class VisiblePhase(MMAUNetPhase):
    """The visible U-Net reconstructs its input."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        visible = luminance(batch.visible)
        return self.loss(self.method.reconstruct_visible(visible), [visible])


class InfraredPhase(MMAUNetPhase):
    """The infrared U-Net reconstructs its input, guided by the frozen visible encoder."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        visible = luminance(batch.visible)
        return self.loss(
            self.method.reconstruct_infrared(batch.infrared, visible), [batch.infrared]
        )


class FusionPhase(MMAUNetPhase):
    """The fusion network learns on the features of both frozen encoders."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        visible = luminance(batch.visible)
        return self.loss(self.method.fuse(batch.infrared, visible), [batch.infrared, visible])


class MMAUNetLoss(nn.Module):
    """The same three terms for fusing two images R and for reconstructing one; float32.

    mse: mean (F − mean R)².
    ssim: Σ (1 − SSIM(F, R)) / 2.
    edge: (mean |S(F) − max S(R)|)², S = |Sobel_x| + |Sobel_y| with zeros beyond the border.

    Each plane of the output is an image of its own.
    """

    def __init__(self, weights: MMAUNetWeights) -> None:
        super().__init__()
        self.weights = weights
        self.ssim = StructuralSimilarity()
        self.edges = SobelMagnitude("constant")

    def forward(self, output: Tensor, references: Sequence[Tensor]) -> dict[str, Tensor]:
        """The weighted "loss" and its terms.

        Args:
            output: B×P×H×W.
            references: B×1×H×W each, in [0, 1].
        """
        with torch.autocast(output.device.type, enabled=False):
            image = output.float().flatten(0, 1).unsqueeze(1)
            sources = torch.stack([source.expand_as(output) for source in references])
            sources = sources.flatten(1, 2).unsqueeze(2)  # R × B·P × 1 × H × W
            similarities = self.ssim(image, list(sources))
            wanted = torch.stack([self.edges(source) for source in sources]).amax(0)
            terms = {
                "mse": F.mse_loss(image, sources.mean(0)),
                "ssim": torch.stack([(1 - value) / 2 for value in similarities]).sum(),
                "edge": F.l1_loss(self.edges(image), wanted).square(),
            }
            return weighted_sum(self.weights, terms)
