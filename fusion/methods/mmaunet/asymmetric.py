"""MMA-UNet's fusion of features of different depth (Huang et al., ACM MM 2024).

Visible features get semantic sooner than infrared ones, so visible level l meets infrared level
l + 1. Layers and widths are those of the authors' code.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import log2

import torch
from torch import Tensor, nn

from fusion.blocks.layers import ChannelAttention
from fusion.blocks.unet import Expansion


class EfficientChannelAttention(nn.Module):
    """x · sigmoid(k ∗ mean + k ∗ maximum): one 1-D kernel over the channels, B×C×H×W kept.

    Wang et al. 2020 (ECA-Net), with the maximum beside the mean. The kernel has (log2 C + 1) / 2
    taps, rounded down and then up to an odd number.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = int((log2(channels) + 1) / 2) | 1
        self.kernel = nn.Conv1d(1, 1, taps, padding=taps // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        pooled = torch.stack([features.mean((2, 3)), features.amax((2, 3))])  # 2 × B × C
        logits = self.kernel(pooled.flatten(0, 1).unsqueeze(1)).view_as(pooled).sum(0)
        return features * torch.sigmoid(logits)[..., None, None]


class ConcurrentSqueezeExcitation(nn.Module):
    """max(x · channel gate, x · spatial gate), element by element: B×C×H×W -> B×C×H×W.

    scSE (Roy et al. 2018) with the maximum; the channel gate has reduction 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels, 2)
        self.spatial = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        channel = features * torch.sigmoid(self.channel(features))
        return torch.maximum(channel, features * torch.sigmoid(self.spatial(features)))


def pixel_shuffle_rise(deep: int, shallow: int) -> nn.Sequential:
    """3×3 convolution and pixel shuffle: B×deep×H×W -> B×shallow×2H×2W."""
    return nn.Sequential(nn.Conv2d(deep, 4 * shallow, 3, padding=1, bias=False), nn.PixelShuffle(2))


class AsymmetricFusion(nn.Module):
    """Features of both encoders -> the fused image, B×outputs×H×W, of no fixed range.

    `widths` double from level to level, the finest (a multiple of 4) first. The finest infrared and
    the deepest visible features are not used.
    """

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.descents = nn.ModuleList(
            nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(shallow, deep, 1))
            for shallow, deep in pairwise(widths)
        )
        finest, *deeper = widths
        half = len(deeper) // 2
        self.gates = nn.ModuleList(
            [
                *(EfficientChannelAttention(width) for width in deeper[:half]),
                *(ConcurrentSqueezeExcitation(width) for width in deeper[half:]),
            ]
        )
        self.expansion = Expansion(deeper, pixel_shuffle_rise, bias=False)
        self.rise = pixel_shuffle_rise(deeper[0], finest)
        layers: list[nn.Module] = []
        tapering = [finest, finest // 2, finest // 4]
        for wide, narrow in pairwise(tapering):
            layers += [nn.Conv2d(wide, narrow, 3, padding=1), nn.BatchNorm2d(narrow), nn.ReLU()]
        self.taper = nn.Sequential(*layers)
        self.last = nn.Conv2d(tapering[-1], outputs, 3, padding=1)

    def forward(self, infrared: Sequence[Tensor], visible: Sequence[Tensor]) -> Tensor:
        """Both lists finest first, level l of B×widths[l]×H/2ˡ×W/2ˡ."""
        fused = [
            gate(deep + descent(shallow))
            for gate, descent, deep, shallow in zip(
                self.gates, self.descents, infrared[1:], visible[:-1], strict=True
            )
        ]
        image: Tensor = self.last(self.taper(self.rise(self.expansion(fused))))
        return image
