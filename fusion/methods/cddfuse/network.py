"""CDDFuse: Correlation-Driven Dual-Branch Feature Decomposition (Zhao et al., CVPR 2023).

One encoder splits each modality into base features, which the modalities should share, and detail
features, which they should not. Phase one reconstructs every image from its own features; phase
two fuses the features. Layers and weights are those of the authors' code; "choice" marks the rest.
"""

import torch
from torch import Tensor

from fusion.blocks.restormer import RestormerDecoder
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod
from fusion.methods.cddfuse.config import CDDFuseConfig
from fusion.methods.cddfuse.encoder import Encoder, Features, InvertibleNode, base_block


class CDDFuseNetwork(FusionMethod[CDDFuseConfig]):
    """Shared encoder, a fusion layer for base and one for detail, decoder with the visible image.

    Works with images of any size, because nothing is downsampled.
    """

    def __init__(self, config: CDDFuseConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config)
        self.decoder = RestormerDecoder(config)
        self.base_fusion = base_block(config)
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
        """Luminance B×1×H×W in [0, 1] from features and a skip image."""
        image: Tensor = self.decoder(torch.cat(features, dim=1), skip)
        return image

    def encoder_layers(self) -> EncoderLayers:
        encoder = self.encoder
        blocks = {f"block {number}": block for number, block in enumerate(encoder.blocks, start=1)}
        layers = {"stem": encoder.stem, **blocks, "base": encoder.base, "detail": encoder.detail}
        return EncoderLayers(layers, layers)
