"""MMA-UNet: a Multi-Modal Asymmetric UNet Architecture (Huang et al., ACM MM 2024).

One U-Net learns to reconstruct visible images, a second one, guided by the first, infrared images;
then both are frozen, and a third network fuses their features across depths. Layers, widths and
the fusion loss are those of the authors' code, which has no training; "choice" marks what is open.

Images are luminance in three equal planes, as published.
"""

from torch import Tensor, nn

from fusion.blocks.config import MULTIPLE
from fusion.blocks.padding import pad_to_multiple
from fusion.blocks.unet import level_widths
from fusion.images.color import luminance
from fusion.methods.base import EncoderLayers, FusionMethod
from fusion.methods.mmaunet.asymmetric import AsymmetricFusion
from fusion.methods.mmaunet.config import MMAUNetConfig
from fusion.methods.mmaunet.unets import PLANES, InfraredUNet, VisibleUNet


class MMAUNetNetwork(FusionMethod[MMAUNetConfig]):
    """Both U-Nets and the fusion network, from the first phase on.

    The fusion network's last layer is linear, with targets in [0, 1]: `forward` takes
    the mean of its three planes, which all learn the same, and clips it to [0, 1] (choice: the
    authors' code takes one plane, stretched). Its bias starts at mid-gray, and its weights at zero
    in phase `fusion` (choice): random weights give noise, whose edges the loss penalizes so much
    that the network learns only gray.
    """

    def __init__(self, config: MMAUNetConfig) -> None:
        super().__init__(config)
        widths = level_widths(config.width)
        self.visible = VisibleUNet(widths)
        self.infrared = InfraredUNet(widths, config.reduction)
        self.fusion = AsymmetricFusion(widths, PLANES)
        if self.fusion.last.bias is not None:
            nn.init.constant_(self.fusion.last.bias, 0.5)

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


def _planes(luma: Tensor) -> Tensor:
    """B×1×H×W -> three equal planes, sides padded for the networks."""
    return pad_to_multiple(luma, MULTIPLE).expand(-1, PLANES, -1, -1)


def _crop(images: Tensor, like: Tensor) -> Tensor:
    return images[..., : like.shape[-2], : like.shape[-1]]
