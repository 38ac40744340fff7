"""Depthwise convolutions: one small filter a channel."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution with an odd kernel, size kept: B×C×H×W -> B×C×H×W.

    Compiled for a GPU it is a sum of shifted images, which the compiler fuses into one pass with
    whatever is done to them before and after; convolution libraries need several times as long
    for the gradients. On a CPU a dilated one runs in float32: there (torch 2.15, oneDNN) the
    weight gradient of bfloat16 is wrong in `channels_last` as soon as the dilation is above one:
    off by more than its own norm, or not finite.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        *,
        dilation: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
    ) -> None:
        super().__init__(
            channels,
            channels,
            kernel_size,
            padding=dilation * (kernel_size // 2),
            dilation=dilation,
            groups=channels,
            bias=bias,
            padding_mode=padding_mode,
        )

    def forward(self, features: Tensor) -> Tensor:
        if features.is_cuda and torch.compiler.is_compiling():
            return self.by_shifts(features)
        if features.device.type == "cpu" and self.dilation != (1, 1):
            with torch.autocast("cpu", enabled=False):
                return super().forward(features.float())
        return super().forward(features)

    def by_shifts(self, features: Tensor) -> Tensor:
        """The same as a sum of shifted images, in the input's dtype, added up in float32."""
        return _with_bias(shifted_sum(self, features, self.weight[:, 0]), self.bias)


class PairedDepthwiseConv2d(nn.Conv2d):
    """Convolution whose group c sees channel c of two inputs: two B×C×H×W -> B×C×H×W, size kept.

    Compiled for a GPU it is a sum of shifted images as `DepthwiseConv2d` is.
    """

    def __init__(
        self, channels: int, kernel_size: int, *, padding_mode: PaddingMode = "zeros"
    ) -> None:
        super().__init__(
            2 * channels,
            channels,
            kernel_size,
            padding=kernel_size // 2,
            groups=channels,
            padding_mode=padding_mode,
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:  # type: ignore[override]
        if first.is_cuda and torch.compiler.is_compiling():
            return self.by_shifts(first, second)
        return super().forward(torch.stack([first, second], dim=2).flatten(1, 2))

    def by_shifts(self, first: Tensor, second: Tensor) -> Tensor:
        """The same as a sum of shifted images, in the inputs' dtype, added up in float32."""
        pair = first, second
        parts = [shifted_sum(self, x, self.weight[:, place]) for place, x in enumerate(pair)]
        return _with_bias(parts[0] + parts[1], self.bias)


def _with_bias(features: Tensor, bias: Tensor | None) -> Tensor:
    return features if bias is None else features + bias.view(-1, 1, 1).to(features.dtype)


def shifted_sum(layer: nn.Conv2d, features: Tensor, weight: Tensor) -> Tensor:
    """Depthwise convolution of B×C×H×W with C×n×n as `layer` pads and dilates, without its bias."""
    padding = int(layer.padding[0])
    if layer.padding_mode != "zeros":
        features, padding = F.pad(features, (padding,) * 4, mode=layer.padding_mode), 0
    total: Tensor = _ShiftedSum.apply(features, weight, layer.dilation[0], padding)
    return total


class _ShiftedSum(torch.autograd.Function):
    """Written out so that both gradients are sums over shifted images, too."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, dilation: int, padding: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.dilation, ctx.padding = dilation, padding
        return _correlate(features, weight, dilation, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        features, weight = ctx.saved_tensors
        around = ctx.dilation * (weight.shape[-1] - 1) - ctx.padding
        of_features = _correlate(gradient, weight.flip(1, 2), ctx.dilation, around)
        shifts = _shifts(features, weight.shape[-1], ctx.dilation, ctx.padding)
        products = [(image * gradient).sum((0, 2, 3), dtype=torch.float32) for image in shifts]
        of_weight = torch.stack(products, dim=1).view_as(weight).to(weight.dtype)
        return of_features, of_weight, None, None


def _shifts(features: Tensor, size: int, dilation: int, padding: int) -> list[Tensor]:
    """The image as each tap of a size×size kernel sees it, row by row of the kernel."""
    padded = F.pad(features, (padding,) * 4)
    height, width = (side - dilation * (size - 1) for side in padded.shape[-2:])
    starts = range(0, dilation * size, dilation)
    return [padded[..., y : y + height, x : x + width] for y in starts for x in starts]


def _correlate(features: Tensor, weight: Tensor, dilation: int, padding: int) -> Tensor:
    taps = weight.float().flatten(1).unbind(1)
    total = torch.zeros((), device=features.device)
    for tap, image in zip(
        taps, _shifts(features, weight.shape[-1], dilation, padding), strict=True
    ):
        total = total + tap.view(-1, 1, 1) * image.float()
    return total.to(features.dtype)
