"""Depthwise convolutions: one small filter per channel."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution with an odd kernel, size kept: B×C×H×W -> B×C×H×W.

    Libraries are fastest with `channels_last`, except for dilated convolutions. On a CPU (torch
    2.15, oneDNN) a dilated convolution in bfloat16 has a wrong weight gradient, so it runs in
    float32; in `channels_last` it runs on every d-th row and column at a time (d is the dilation),
    where it is an ordinary convolution and several times faster. On a GPU (H200, cuDNN 9.19) a
    dilated 7×7 convolution takes four times as long, so its input is converted to channels first.
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
        if self.dilation == (1, 1):
            return super().forward(features)
        if features.device.type == "cpu":
            with torch.autocast("cpu", enabled=False):
                return self._on_cpu(features.float())
        # a weight of one input channel is in both formats at once, and its strides decide
        weight = self.weight.flatten().view_as(self.weight)
        output: Tensor = self._conv_forward(features.contiguous(), weight, self.bias)
        return output

    def _on_cpu(self, features: Tensor) -> Tensor:
        last = features.is_contiguous(memory_format=torch.channels_last)
        if torch.compiler.is_compiling() or not last or self.padding_mode != "zeros":
            return super().forward(features)
        height, width = features.shape[2:]
        step, reach = self.dilation[0], self.kernel_size[0] // 2
        down, across = -height % step, -width % step
        pixels = F.pad(features, (0, across, 0, down)).permute(0, 2, 3, 1)
        apart = pixels.unflatten(1, (-1, step)).unflatten(3, (-1, step))  # B × h × d × w × d × C
        batch = apart.permute(0, 2, 4, 1, 3, 5).flatten(0, 2).permute(0, 3, 1, 2)
        output = F.conv2d(batch, self.weight, self.bias, padding=reach, groups=self.groups)
        apart = output.permute(0, 2, 3, 1).unflatten(0, (-1, step, step))
        pixels = apart.permute(0, 3, 1, 4, 2, 5).flatten(3, 4).flatten(1, 2)
        cropped: Tensor = pixels[:, :height, :width].permute(0, 3, 1, 2)
        return cropped
