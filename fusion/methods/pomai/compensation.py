"""PoMAI's Modality-Interactive Compensation Module: weighs each modality against the other."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
        return torch.sigmoid(self._of_attention(total) + self._of_sum(total))

    def _of_attention(self, total: Tensor) -> Tensor:
        """The gate's convolution of spatial plus channel attention.

        It is linear: of spatial attention, one map for all groups, it is a convolution of one
        channel; of channel attention, constant over the image, a factor.
        """
        weight = self.gate.weight[:, :1]
        spatial = F.conv2d(_padded(self.spatial(total)), weight)
        channel: Tensor = self.channel(total) * weight.sum((2, 3)).view(1, -1, 1, 1)
        return spatial + channel

    def _of_sum(self, total: Tensor) -> Tensor:
        """The gate's convolution of the sum, and its bias."""
        weight = self.gate.weight[:, 1:]
        return F.conv2d(_padded(total), weight, self.gate.bias, groups=self.gate.groups)


def _padded(features: Tensor) -> Tensor:
    return F.pad(features, (3, 3, 3, 3), mode="reflect")
