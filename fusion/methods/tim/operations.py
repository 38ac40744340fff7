"""The operations of TIM's search that its fusion networks use.

Each takes B×C×H×W and keeps the size.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.depthwise import DepthwiseConv2d
from fusion.blocks.normalization import ImageBatchNorm
from fusion.blocks.pointwise import PointwiseConv2d
from fusion.methods.tim.config import Statistics

Operation = Callable[[int, Statistics], nn.Module]


class DenseOperation(nn.Module):
    """x + ⅓ y₃ of three 3×3 convolutions, each of all before it; one group an output channel."""

    def __init__(self, channels: int, statistics: Statistics) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(count * channels, channels, 3, padding=1, groups=channels, bias=False)
            for count in (1, 2, 3)
        )
        self.activation = nn.PReLU()

    def forward(self, features: Tensor) -> Tensor:
        seen = [features]
        for layer in self.layers:
            seen.append(self.activation(layer(torch.cat(seen, dim=1))))
        return features + 0.333 * seen[-1]


class ResidualOperation(nn.Module):
    """x + PReLU(BN(1×1(depthwise 3×3 of dilation 2(depthwise 3×3(x)))))."""

    def __init__(self, channels: int, statistics: Statistics) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            DepthwiseConv2d(channels, 3, bias=False),
            DepthwiseConv2d(channels, 3, dilation=2, bias=False),
            PointwiseConv2d(channels, channels, bias=False),
            ImageBatchNorm(channels, statistics),
            nn.PReLU(),
        )

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = features + self.residual(features)
        return output


class DilatedOperation(nn.Module):
    """x + BN(1×1(depthwise 3×3 of dilation 2(ReLU(x))))."""

    def __init__(self, channels: int, statistics: Statistics) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.ReLU(),
            DepthwiseConv2d(channels, 3, dilation=2, bias=False),
            PointwiseConv2d(channels, channels, bias=False),
            ImageBatchNorm(channels, statistics),
        )

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = features + self.residual(features)
        return output


class ChannelOperation(nn.Module):
    """PReLU(3×3(x · σ(k ∗ mean))): a kernel of three taps along the channels' means (ECA)."""

    def __init__(self, channels: int, statistics: Statistics) -> None:
        super().__init__()
        self.kernel = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.activation = nn.PReLU()

    def forward(self, features: Tensor) -> Tensor:
        logits = self.kernel(features.mean((2, 3)).unsqueeze(1)).squeeze(1)
        gated = features * torch.sigmoid(logits)[..., None, None]
        output: Tensor = self.activation(self.conv(gated))
        return output


class SpatialOperation(nn.Module):
    """x · σ(3×3 of each pixel's maximum and mean over the channels)."""

    def __init__(self, channels: int, statistics: Statistics) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        pooled = [features.amax(1, keepdim=True), features.mean(1, keepdim=True)]
        return features * torch.sigmoid(self.conv(torch.cat(pooled, dim=1)))


class Chain(nn.Module):
    """ReLU, 1×1 and batch normalization, then operations one after the other."""

    def __init__(
        self, channels: int, operations: tuple[Operation, ...], statistics: Statistics
    ) -> None:
        super().__init__()
        self.enter = enter(channels, statistics)
        self.operations = nn.Sequential(
            *(operation(channels, statistics) for operation in operations)
        )

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = self.operations(self.enter(features))
        return output


def enter(channels: int, statistics: Statistics) -> nn.Sequential:
    """ReLU, 1×1, batch normalization."""
    return nn.Sequential(
        nn.ReLU(),
        PointwiseConv2d(channels, channels, bias=False),
        ImageBatchNorm(channels, statistics),
    )


class Blur(nn.Module):
    """[1 2 1] ⊗ [1 2 1] / 16 of every second pixel, reflected at the border: half the size."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", torch.outer(taps, taps)[None, None], persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        channels = features.shape[1]
        padded = F.pad(features, (1, 1, 1, 1), mode="reflect")
        kernel = self.kernel.to(features.dtype).expand(channels, -1, -1, -1)
        return F.conv2d(padded, kernel, stride=2, groups=channels)


class Down(nn.Module):
    """B×C×H×W -> B×2C×H/2×W/2: a deep and a plain path, both blurred, added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.deep = nn.Sequential(
            PointwiseConv2d(channels, channels, bias=False),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.PReLU(),
            Blur(),
            PointwiseConv2d(channels, 2 * channels, bias=False),
        )
        self.plain = nn.Sequential(Blur(), PointwiseConv2d(channels, 2 * channels, bias=False))

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = self.deep(features) + self.plain(features)
        return output


class Up(nn.Module):
    """B×C×H×W -> B×C/2×2H×2W: a deep path and a bilinear one, added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        transposed = nn.ConvTranspose2d(
            channels, channels, 3, stride=2, padding=1, output_padding=1, bias=False
        )
        self.deep = nn.Sequential(
            PointwiseConv2d(channels, channels, bias=False),
            nn.PReLU(),
            transposed,
            nn.PReLU(),
            PointwiseConv2d(channels, channels // 2, bias=False),
        )
        self.plain = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            PointwiseConv2d(channels, channels // 2, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = self.deep(features) + self.plain(features)
        return output


class MultiScale(nn.Module):
    """Separate operations at full, half and quarter size, weighted channel by channel.

    Sides must divide by 4. The result is the input plus the weighted sum of the three scales.
    """

    def __init__(
        self, channels: int, operations: tuple[Operation, ...], statistics: Statistics
    ) -> None:
        super().__init__()
        self.enter = enter(channels, statistics)
        self.operations = nn.ModuleList(
            nn.Sequential(*(operation(channels * factor, statistics) for operation in operations))
            for factor in (1, 2, 4)
        )
        self.to_half = Down(channels)
        self.to_quarter = nn.Sequential(Down(channels), Down(2 * channels))
        self.from_half = Up(2 * channels)
        self.from_quarter = nn.Sequential(Up(4 * channels), Up(2 * channels))
        self.squeeze = nn.Sequential(nn.Conv2d(channels, channels // 8, 1, bias=False), nn.PReLU())
        self.excite = nn.ModuleList(
            nn.Conv2d(channels // 8, channels, 1, bias=False) for _ in range(3)
        )

    def forward(self, features: Tensor) -> Tensor:
        entered = self.enter(features)
        full, half, quarter = self.operations
        scales = [
            full(entered),
            self.from_half(half(self.to_half(entered))),
            self.from_quarter(quarter(self.to_quarter(entered))),
        ]
        squeezed = self.squeeze(sum(scales[1:], scales[0]).mean((2, 3), keepdim=True))
        weights = torch.stack([excite(squeezed) for excite in self.excite]).softmax(0)
        output: Tensor = entered + (weights * torch.stack(scales)).sum(0)
        return output
