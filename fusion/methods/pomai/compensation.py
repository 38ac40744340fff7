"""PoMAI's Modality-Interactive Compensation Module: weighs each modality against the other."""

import torch
from torch import Tensor, nn

from fusion.blocks.layers import ChannelAttention, SpatialAttention
from fusion.methods.pomai.config import MICMConfig


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
