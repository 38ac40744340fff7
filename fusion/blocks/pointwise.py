"""1×1 convolutions: one matrix for every pixel."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PointwiseConv2d(nn.Conv2d):
    """1×1 convolution: B×C×H×W -> B×C'×H×W."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        return convolve_pixels(features, self.weight, self.bias)


def convolve_pixels(features: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """1×1 convolution: B×C×H×W, C'×C×1×1, C' -> B×C'×H×W.

    On one CPU thread, torch (2.15) leaves a 1×1 convolution of fewer than 16 images in float32 to a
    general matrix product, which takes up to twice as long as oneDNN's convolution. So in
    `channels_last`, where a row of pixels lies in memory as an image would, every row is given as
    an image. Everything else, such as a channel slice of a larger tensor, is torch's own.
    """
    if not _by_rows(features):
        return F.conv2d(features, weight, bias)
    batch, _, height, width = features.shape
    rows = features.permute(0, 2, 3, 1).flatten(0, 1).unsqueeze(1).permute(0, 3, 1, 2)
    output = F.conv2d(rows, weight, bias).permute(0, 2, 3, 1)
    restored: Tensor = output.reshape(batch, height, width, len(weight)).permute(0, 3, 1, 2)
    return restored


def _by_rows(features: Tensor) -> bool:
    """Whether oneDNN computes this convolution, and `features` are rows of pixels."""
    return (
        features.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and torch.backends.mkldnn.is_available()
        and features.dtype is not torch.float64
        and features.is_contiguous(memory_format=torch.channels_last)
    )
