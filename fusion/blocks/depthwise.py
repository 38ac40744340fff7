"""Depthwise convolutions: one small filter a channel."""

from typing import Literal

import torch
from torch import Tensor, nn

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution with an odd kernel, size kept: B×C×H×W -> B×C×H×W.

    Libraries are at their best with `channels_last`, but for dilated ones. On a CPU (torch 2.15,
    oneDNN) the weight gradient of bfloat16 is then wrong, off by more than its own norm or not
    finite: these run in float32. On a GPU (H200, cuDNN 9.19) a 7×7 one takes four times as long
    as with channels first: these get their input so.
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
