"""The U-Fuser: two encoders, a fusion block a level, one decoder (EMMA; Zhao et al. 2024)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.config import Skip
from fusion.blocks.dense_attention import DenseAttentionBlock
from fusion.blocks.padding import pad_to_multiple
from fusion.blocks.skip import skip_logit


def reflect_conv(inputs: int, outputs: int, stride: int = 1, *, bias: bool = False) -> nn.Conv2d:
    """3×3 convolution with reflect padding."""
    return nn.Conv2d(
        inputs, outputs, 3, stride=stride, padding=1, padding_mode="reflect", bias=bias
    )


def binomial(images: Tensor) -> Tensor:
    """Filter with 1/4 · [1 2 1] along rows and columns, reflected at the border: B×C×H×W, H, W ≥ 2.

    Its response to a pattern of period 2 is zero.
    """
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    return F.avg_pool2d(F.avg_pool2d(padded, 2, stride=1), 2, stride=1)


class ResidualBlock(nn.Module):
    """x + 3×3 ∘ ReLU ∘ 3×3 (x), without normalization: B×C×H×W -> B×C×H×W."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            reflect_conv(channels, channels, bias=True),
            nn.ReLU(),
            reflect_conv(channels, channels, bias=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        residual: Tensor = self.residual(features)
        return features + residual


class GlobalLocalBlock(nn.Module):
    """Attention and convolutions side by side: B×inputs×H×W -> B×outputs×H×W."""

    def __init__(self, inputs: int, outputs: int, heads: int) -> None:
        super().__init__()
        self.embed = reflect_conv(inputs, outputs)
        self.attention = DenseAttentionBlock(outputs, heads)
        self.local = nn.Sequential(ResidualBlock(outputs), ResidualBlock(outputs))
        self.merge = reflect_conv(2 * outputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        embedded = self.embed(features)
        sides = torch.cat([self.attention(embedded), self.local(embedded)], dim=1)
        merged: Tensor = self.merge(sides)
        return merged


class Encoder(nn.Module):
    """One source, B×1×H×W -> its features at every level; level l has sides H/2ˡ, W/2ˡ."""

    def __init__(self, widths: list[int], heads: int) -> None:
        super().__init__()
        first: nn.Module = GlobalLocalBlock(1, widths[0], heads)
        deeper = (
            nn.Sequential(reflect_conv(above, above, stride=2), GlobalLocalBlock(above, own, heads))
            for above, own in pairwise(widths)
        )
        self.levels = nn.ModuleList([first, *deeper])

    def forward(self, source: Tensor) -> list[Tensor]:
        features = [source]
        for level in self.levels:
            features.append(level(features[-1]))
        return features[1:]


class Decoder(nn.Module):
    """Fused features of all levels, and the skip's logit -> fused luminance B×1×H×W in [0, 1]."""

    def __init__(self, widths: list[int], heads: int, *, blur: bool) -> None:
        super().__init__()
        self.blur = blur
        rising = list(pairwise(reversed(widths)))
        self.deepest = GlobalLocalBlock(widths[-1], widths[-1], heads)
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(below, own, 4, stride=2, padding=1, bias=False), nn.ReLU()
            )
            for below, own in rising
        )
        self.merge = nn.ModuleList(GlobalLocalBlock(2 * own, own, heads) for _, own in rising)
        self.head = reflect_conv(widths[0], 1, bias=True)

    def forward(self, levels: list[Tensor], start: Tensor | float) -> Tensor:
        *shallower, deepest = levels
        features = self.deepest(deepest)
        for up, merge, skip in zip(self.up, self.merge, reversed(shallower), strict=True):
            features = merge(torch.cat([up(features), skip], dim=1))
        drawn = self.head(features).float()
        if self.blur:
            drawn = binomial(drawn)
        return torch.sigmoid(drawn + start)


class UFuser(nn.Module):
    """(infrared, visible luminance) -> fused luminance, B×1×H×W in [0, 1] each, H and W ≥ 16.

    Sides that do not divide by 2^(levels − 1) are padded by reflection (choice: the authors fuse
    overlapping tiles, which leaves seams). `skip` and `blur` are those of `EMMAConfig`.
    """

    def __init__(
        self, widths: list[int], heads: int, skip: Skip = "none", *, blur: bool = False
    ) -> None:
        super().__init__()
        self.skip: Skip = skip
        self.multiple = 2 ** (len(widths) - 1)
        self.infrared = Encoder(widths, heads)
        self.visible = Encoder(widths, heads)
        self.fuse = nn.ModuleList(GlobalLocalBlock(2 * width, width, heads) for width in widths)
        self.decoder = Decoder(widths, heads, blur=blur)
        if skip != "none":  # the first fused image is the skip itself
            for parameter in self.decoder.head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        height, width = infrared.shape[-2:]
        infrared, visible = (pad_to_multiple(x, self.multiple) for x in (infrared, visible))
        pairs = zip(self.infrared(infrared), self.visible(visible), strict=True)
        fused = [fuse(torch.cat(pair, 1)) for fuse, pair in zip(self.fuse, pairs, strict=True)]
        image: Tensor = self.decoder(fused, skip_logit(self.skip, infrared, visible))
        return image[..., :height, :width]
