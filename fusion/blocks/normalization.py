"""Batch normalization with the statistics of each image or of training."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F


class ImageBatchNorm(nn.BatchNorm2d):
    """Batch normalization for networks that are published in train mode: B×C×H×W kept.

    In eval mode, statistics "image" normalizes every image by its own mean and (biased) variance,
    as train mode does with a batch of one, but leaves the running averages alone; "running" is
    plain batch normalization. In train mode both are.
    """

    def __init__(self, channels: int, statistics: Literal["image", "running"]) -> None:
        super().__init__(channels)
        self.statistics = statistics

    def forward(self, features: Tensor) -> Tensor:
        if self.training or self.statistics == "running":
            return super().forward(features)
        return F.instance_norm(features, weight=self.weight, bias=self.bias, eps=self.eps)
