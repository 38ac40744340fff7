"""DeFusion's bottleneck: a ResNeSt block without any normalization (Zhang et al. 2022)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.pointwise import PointwiseConv2d

EXPANSION = 4


class SplitAttention(nn.Module):
    """Two 3×3 convolutions of half the channels each, weighed against each other: B×C×H×W kept.

    The weights are a softmax over the pair, channel by channel, of the global mean of their sum.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 2, 32)
        self.conv = nn.Conv2d(channels, 2 * channels, 3, padding=1, groups=2, bias=False)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, 2 * channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        splits = torch.unflatten(F.relu(self.conv(features)), 1, (2, -1))
        pooled = splits.sum(1).mean((2, 3), keepdim=True)
        logits = self.excite(F.relu(self.squeeze(pooled)))
        output: Tensor = (splits * logits.unflatten(1, (2, -1)).softmax(1)).sum(1)
        return output


class Bottleneck(nn.Module):
    """B×inputs×H×W -> B×4·channels×H/stride×W/stride, sides rounded up.

    pooled: average 3×3 pixels and keep those at the stride; zeros beyond the border count.
    """

    def __init__(self, inputs: int, channels: int, *, stride: int = 1, pooled: bool = False):
        super().__init__()
        outputs = EXPANSION * channels
        self.enter = PointwiseConv2d(inputs, channels, bias=False)
        self.split = SplitAttention(channels)
        self.pool = nn.AvgPool2d(3, stride, padding=1) if pooled else nn.Identity()
        self.leave = PointwiseConv2d(channels, outputs, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride > 1:
            smaller = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
            self.shortcut = nn.Sequential(
                smaller if stride > 1 else nn.Identity(),
                PointwiseConv2d(inputs, outputs, bias=False),
            )

    def forward(self, features: Tensor) -> Tensor:
        inner = self.pool(self.split(F.relu(self.enter(features))))
        return F.relu(self.leave(inner) + self.shortcut(features))


def stage(
    inputs: int, channels: int, blocks: int, *, stride: int = 1, pooled: bool = False
) -> nn.Sequential:
    """`blocks` bottlenecks, the first with the stride and the pool: 4·channels outputs."""
    return nn.Sequential(
        Bottleneck(inputs, channels, stride=stride, pooled=pooled),
        *(Bottleneck(EXPANSION * channels, channels) for _ in range(blocks - 1)),
    )


def rise(features: Tensor, size: torch.Size) -> Tensor:
    """Twice the size, bilinear; then, if that is not H×W, resized by nearest neighbors."""
    risen = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
    return risen if risen.shape[-2:] == size else F.interpolate(risen, size, mode="nearest")
