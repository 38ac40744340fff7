"""PoMAI: Progressive Modality-Adaptive Interactive Network (Huang et al., IJCAI 2025).

No implementation was published. Equation numbers are the paper's; what the paper leaves open is
marked "choice" and is a field of the settings below.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from fusion.blocks.depthwise import DepthwiseConv2d
from fusion.blocks.layers import ChannelAttention, ChannelLayerNorm, SpatialAttention
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
from fusion.methods.pomai.loss import FusionLoss, FusionLossConfig
from fusion.methods.pomai.neighbor_groups import NeighborGroupMatching, NGMMConfig

DARKEST = 1 / 512
"""Half a grey level: keeps the logit of a black or white skip finite."""


class CAMNConfig(Config):
    """Context-Aware Modeling Network; choices where equations 4-5 are silent."""

    dilation: int = Field(3, ge=1)
    expansion: float = Field(2.0, gt=0)


class MICMConfig(Config):
    """Modality-Interactive Compensation Module; choice after DEA-Net's attention."""

    reduction: int = Field(8, ge=1)


class PoMAIConfig(RestormerConfig):
    """PoMAI's network and loss.

    `ngmm` or `camn` set to null leaves the module out (the paper's Table 2). `micm` is null until
    stage two adds the module. `skip` (choice, after CDDFuse's; the paper has none): what the
    decoder starts from, so that it predicts only what the fused image has beyond it: the visible
    luminance, or the brighter source at each pixel, which is the intensity term's target.
    """

    stem: Literal["separate", "luminance"] = "separate"
    skip: Literal["none", "visible", "brighter"] = "none"
    ngmm: NGMMConfig | None = NGMMConfig()
    camn: CAMNConfig | None = CAMNConfig()
    micm: MICMConfig | None = None
    loss: FusionLossConfig = FusionLossConfig()


class StageOne(PhaseConfig):
    """Encoder, NGMM, CAMN and decoder are trained together."""


class StageTwo(PhaseConfig):
    """MICM is added; with `freeze` it alone is trained. `micm: null` keeps stage one's network."""

    micm: MICMConfig | None = MICMConfig()
    freeze: bool = True

    @model_validator(mode="after")
    def _something_to_train(self) -> Self:
        if self.micm is None and self.freeze and self.epochs > 0:
            raise ValueError("micm is null and freeze is true: nothing to train, set epochs to 0")
        return self


class ContextAwareModeling(nn.Module):
    """CAMN, equations 4-5: B×C×H×W -> B×C×H×W.

    Spatial context: 1×1, 7×7 depthwise dilated (choice: depthwise), 1×1, residual. Channel context:
    norm (choice: channel LayerNorm), 1×1, GELU (choice: without it the two 1×1 are one), 1×1.
    """

    def __init__(self, channels: int, config: CAMNConfig) -> None:
        super().__init__()
        hidden = int(channels * config.expansion)
        self.spatial = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            DepthwiseConv2d(channels, 7, dilation=config.dilation),
            nn.Conv2d(channels, channels, 1),
        )
        self.channel = nn.Sequential(
            ChannelLayerNorm(channels),
            nn.Conv2d(channels, hidden, 1),
            nn.GELU(),
            nn.Conv2d(hidden, channels, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        spatial = self.spatial(features) + features
        return self.channel(spatial) + spatial + features


class ModalityInteractiveCompensation(nn.Module):
    """MICM's gate W, equations 6-8: two B×C×H×W -> B×C×H×W in [0, 1].

    The 7×7 convolution is grouped (choice, after DEA-Net): group c sees channel c of the attention
    and of the sum.
    """

    def __init__(self, channels: int, config: MICMConfig) -> None:
        super().__init__()
        self.spatial = SpatialAttention()
        self.channel = ChannelAttention(channels, config.reduction)
        self.gate = nn.Conv2d(
            2 * channels, channels, 7, padding=3, padding_mode="reflect", groups=channels
        )

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        total = infrared + visible
        attention = self.spatial(total) + self.channel(total)
        interleaved = torch.stack([attention, total], dim=2).flatten(1, 2)
        return torch.sigmoid(self.gate(interleaved))


def _new_weights(network: "PoMAI") -> dict[str, Tensor]:
    """MICM's own initial weights: the only ones that stage one does not have."""
    return {name: value for name, value in network.state_dict().items() if name.startswith("micm.")}


@register("pomai")
class PoMAI(FusionMethod):
    """Shared encoder, NGMM on infrared, CAMN on visible, MICM between them, decoder."""

    config_class: ClassVar[type[Config]] = PoMAIConfig
    phases: ClassVar[Mapping[str, type[PhaseConfig]]] = {
        "stage_one": StageOne,
        "stage_two": StageTwo,
    }

    config: PoMAIConfig

    def __init__(self, config: PoMAIConfig) -> None:
        super().__init__(config)
        separate = config.stem == "separate"
        self.infrared_stem = nn.Conv2d(1, config.channels, 3, padding=1, bias=False)
        self.visible_stem = (
            nn.Conv2d(3, config.channels, 3, padding=1, bias=False)
            if separate
            else self.infrared_stem
        )
        self.encoder = restormer_blocks(config)
        self.ngmm = NeighborGroupMatching(config.channels, config.ngmm) if config.ngmm else None
        self.camn = ContextAwareModeling(config.channels, config.camn) if config.camn else None
        self.decoder = RestormerDecoder(config)
        self.micm = (
            ModalityInteractiveCompensation(config.channels, config.micm) if config.micm else None
        )

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        color = luminance(visible) if self.visible_stem.in_channels == 1 else visible
        stems = torch.cat([self.infrared_stem(infrared), self.visible_stem(color)])
        encoded_infrared, encoded_visible = self.encoder(stems).unflatten(0, (2, -1))
        matched = self.ngmm(encoded_infrared) if self.ngmm else encoded_infrared
        context = self.camn(encoded_visible) if self.camn else encoded_visible
        if self.micm:
            gate = self.micm(encoded_infrared, encoded_visible)
            context = gate * encoded_visible + context  # equation 9
            matched = (1 - gate) * encoded_infrared + matched  # equation 10
        features = torch.cat([matched, context], dim=1)  # equation 11, infrared first
        return self.decoder(features, self.start(infrared, visible))  # equations 12-13

    def start(self, infrared: Tensor, visible: Tensor) -> Tensor | float:
        """What the decoder adds to before its sigmoid: the skip's logit, B×1×H×W float32, or 0."""
        if self.config.skip == "none":
            return 0.0
        image = luminance(visible)
        if self.config.skip == "brighter":
            image = torch.maximum(infrared, image)
        return torch.logit(image.float(), eps=DARKEST)

    def encoder_layers(self) -> EncoderLayers:
        blocks = {f"block {number}": block for number, block in enumerate(self.encoder, start=1)}
        return EncoderLayers(
            {"stem": self.infrared_stem, **blocks}, {"stem": self.visible_stem, **blocks}
        )

    @classmethod
    def start_phase(
        cls, name: str, config: Config, settings: PhaseConfig, previous: FusionMethod | None
    ) -> TrainingPhase:
        config = cast(PoMAIConfig, config)
        if not isinstance(settings, StageTwo):
            if config.micm:
                raise ValueError("pomai: micm is a setting of stage two, not of the network")
            return PoMAIPhase(cls(config), frozen=False)
        if previous is None:
            raise ValueError("stage two of pomai starts from the weights of stage one")
        network = cls(config.model_copy(update={"micm": settings.micm}))
        network.load_state_dict(previous.state_dict() | _new_weights(network), strict=True)
        return PoMAIPhase(network, frozen=settings.freeze)


class PoMAIPhase(TrainingPhase):
    """Either stage: the same loss on the same kind of crops.

    Frozen modules are in eval mode too: the hash rotation they will have at inference is the one
    that MICM learns with.
    """

    def __init__(self, network: PoMAI, frozen: bool) -> None:
        super().__init__()
        self.method = network
        self.loss = FusionLoss(network.config.loss)
        self.train()
        if frozen:
            network.requires_grad_(False).eval()
        if network.micm:
            network.micm.requires_grad_(True).train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        fused = self.method(batch.infrared, batch.visible)
        return self.loss(fused, batch.infrared, luminance(batch.visible))
