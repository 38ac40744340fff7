"""Depthwise convolutions: one small filter per channel."""

from typing import Literal

import torch
from torch import Tensor, nn

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution with an odd kernel, size kept: B×C×H×W -> B×C×H×W.

    Libraries are fastest with `channels_last`, except for dilated convolutions. On a CPU (torch
    2.15, oneDNN) a dilated convolution in bfloat16 has a wrong weight gradient, so it runs in
    float32. On a GPU (H200, cuDNN 9.19) a dilated 7×7 convolution takes four times as long, so its
    input is converted to channels first.
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
                return super().forward(features.float())
        # a weight of one input channel is in both formats at once, and its strides decide
        weight = self.weight.flatten().view_as(self.weight)
        output: Tensor = self._conv_forward(features.contiguous(), weight, self.bias)
        return output
