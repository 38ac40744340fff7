"""EMMA: Equivariant Multi-Modality Image Fusion (Zhao et al., CVPR 2024).

Two pseudo-sensing networks learn to recover infrared and visible from fused images. Then they are
frozen and supervise the fuser: their reconstructions from its output must equal its input, and
fusing their reconstructions from a transformed output must give the transformed output. Layers are
those of the authors' code; "choice" marks what differs or was open.
"""

from torch import Tensor

from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod
from fusion.methods.emma.config import EMMAConfig
from fusion.methods.emma.sensing import SensingNetworks
from fusion.methods.emma.ufuser import UFuser


class EMMANetwork(FusionMethod[EMMAConfig]):
    """The U-Fuser; with `config.sensing` also A_i and A_v, which fusing does not use."""

    def __init__(self, config: EMMAConfig) -> None:
        super().__init__(config)
        self.fuser = UFuser(config.widths, config.heads, config.skip, blur=config.blur)
        self.sensing = SensingNetworks(config.sensing) if config.sensing else None

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        fused: Tensor = self.fuser(infrared, luminance(visible))
        return fused

    def encoder_layers(self) -> EncoderLayers:
        infrared, visible = (
            {f"level {number}": level for number, level in enumerate(encoder.levels, start=1)}
            for encoder in (self.fuser.infrared, self.fuser.visible)
        )
        return EncoderLayers(infrared, visible)
