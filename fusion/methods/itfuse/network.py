"""ITFuse: an interactive transformer for infrared and visible image fusion (Tang et al., 2024).

Pattern Recognition 156, 110822. Interaction modules that share their weights, a gate between the
modalities, blocks over rows of 16 values, a 1×1 head. Layers, widths and ranges are those of the
authors' code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.images.color import luminance
from fusion.methods.base import FusionMethod
from fusion.methods.itfuse.config import ITFuseConfig


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    """3×3 with replicated borders, batch normalization, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="replicate"),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class CoordinateAttention(nn.Module):
    """x · gate of its column · gate of its row, B×C×H×W kept (Hou et al. 2021).

    The gates see means over whole rows and columns of the image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.norm = nn.BatchNorm2d(channels // 4)
        self.rows = nn.Conv2d(channels // 4, channels, 1)
        self.columns = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        height = features.shape[2]
        means = torch.cat([features.mean(3, keepdim=True), features.mean(2, keepdim=True).mT], 2)
        squeezed = F.hardswish(self.norm(self.squeeze(means)))
        rows = torch.sigmoid(self.rows(squeezed[:, :, :height]))
        columns = torch.sigmoid(self.columns(squeezed[:, :, height:].mT))
        return features * columns * rows


class Gate(nn.Module):
    """What the modalities exchange: keys B×C×H×W, values B×C×H×W, weights B×1×H×W.

    Weights are unbounded: there is no sigmoid behind them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.key = convolution(channels, channels)
        self.weight = nn.Sequential(
            nn.Conv2d(channels, 2, 1, bias=False),
            nn.BatchNorm2d(2),
            nn.ReLU(),
            nn.Conv2d(2, 1, 1),
            nn.BatchNorm2d(1),
        )
        self.value = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )


class RowBlock(nn.Module):
    """A transformer block of windows of one token: N×C rows -> N×C.

    Attention within a window of one token is the token's value. The query and the key, the first
    two thirds of `qkv`, act on nothing; they are kept because published weights have them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, 4 * channels)
        self.contract = nn.Linear(4 * channels, channels)

    def forward(self, rows: Tensor) -> Tensor:
        values = slice(2 * rows.shape[-1], None)
        normed = self.attention_norm(rows)
        rows = rows + self.project(F.linear(normed, self.qkv.weight[values], self.qkv.bias[values]))
        result: Tensor = rows + self.contract(F.gelu(self.expand(self.feed_forward_norm(rows))))
        return result


class ITFuseNetwork(FusionMethod[ITFuseConfig]):
    """Interaction level by level, a gate across, blocks over rows, head.

    A row is what follows in memory: C horizontal neighbors of one channel, where C divides the
    width. The authors' code reinterprets B×C×H×W as B×H×W×C instead of permuting it, and weights
    learned so work only so. The output therefore depends, faintly, on a pixel's place in its row.
    """

    def __init__(self, config: ITFuseConfig) -> None:
        super().__init__(config)
        channels = config.channels
        self.levels = config.levels
        self.single = convolution(1, channels)
        self.joint = convolution(2, channels)
        self.shared = convolution(channels, channels)
        self.coordinate = CoordinateAttention(channels)
        self.interact = Gate(channels)
        self.cross = Gate(channels)
        self.blocks = nn.ModuleList(RowBlock(channels) for _ in range(config.blocks))
        self.head = nn.Conv2d(channels, 1, 1)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        visible = luminance(visible)
        common = self.shared(self.joint(torch.cat([infrared, visible], dim=1)))
        common = self._attend(common)
        first, second = self._interact(
            self._residual(self.single(infrared)), self._residual(self.single(visible)), common
        )
        for _ in range(self.levels - 1):
            common = self._attend(self.shared(self.shared(common)))
            first, second = self._interact(
                self._residual(self.shared(first)), self._residual(self.shared(second)), common
            )
        keys = self.cross.key(first) + self.cross.key(second)
        crossed = self._attend(self.cross.weight(keys) * self.cross.value(common))
        fused = self.head(self.shared(self._attend_rows(crossed)))
        return torch.sigmoid(fused.float())

    def _residual(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.shared(self.shared(features))
        return result

    def _attend(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.coordinate(self.coordinate(features))
        return result

    def _interact(self, infrared: Tensor, visible: Tensor, common: Tensor) -> tuple[Tensor, Tensor]:
        """Each modality's features weigh the common ones against the other modality's keys."""
        gate = self.interact
        infrared_key, visible_key = gate.key(infrared), gate.key(visible)
        value = gate.value(common)
        return (
            gate.weight(infrared + visible_key) * value + visible_key,
            gate.weight(visible + infrared_key) * value + infrared_key,
        )

    def _attend_rows(self, features: Tensor) -> Tensor:
        rows = features.contiguous().view(-1, features.shape[1])
        for block in self.blocks:
            rows = block(rows)
        return rows.view(features.shape)
