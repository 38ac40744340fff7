"""PoMAI: Progressive Modality-Adaptive Interactive Network (Huang et al., IJCAI 2025).

No implementation was published. Equation numbers are the paper's; what the paper leaves open is
marked "choice" and is a field of the settings.
"""

import torch
from torch import Tensor, nn

from fusion.blocks.restormer import RestormerDecoder, restormer_blocks
from fusion.blocks.skip import skip_logit
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod
from fusion.methods.pomai.compensation import ModalityInteractiveCompensation
from fusion.methods.pomai.config import PoMAIConfig
from fusion.methods.pomai.context import ContextAwareModeling
from fusion.methods.pomai.neighbor_groups import NeighborGroupMatching


class PoMAINetwork(FusionMethod[PoMAIConfig]):
    """Shared encoder, NGMM on infrared, CAMN on visible, MICM between them, decoder."""

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
            context = torch.addcmul(context, gate, encoded_visible)  # equation 9
            matched = matched + encoded_infrared  # equation 10, and the next line
            matched = torch.addcmul(matched, gate, encoded_infrared, value=-1)
        features = torch.cat([matched, context], dim=1)  # equation 11, infrared first
        fused: Tensor = self.decoder(features, self.start(infrared, visible))  # equations 12-13
        return fused

    def start(self, infrared: Tensor, visible: Tensor) -> Tensor | float:
        """The term added before the decoder's sigmoid: the skip's logit, B×1×H×W float32, or 0."""
        return skip_logit(self.config.skip, infrared, luminance(visible))

    def encoder_layers(self) -> EncoderLayers:
        blocks = {f"block {number}": block for number, block in enumerate(self.encoder, start=1)}
        return EncoderLayers(
            {"stem": self.infrared_stem, **blocks}, {"stem": self.visible_stem, **blocks}
        )
