"""LRRNet: a learned low-rank representation network (Li et al., TPAMI 2023).

Two unrolled sparse codings, one a modality, and a linear decoder. Layers, widths and ranges are
those of the authors' code.
"""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn

from fusion.images.color import luminance
from fusion.methods.base import FusionMethod
from fusion.methods.lrrnet.config import LRRNetConfig

EPSILON = 1e-5 / 255
"""Of the stretch; the authors add 1e-5 to images of 0..255."""

TILE = 128
"""Sides of the tiles in which an image is fused: their features fit into a CPU's cache."""


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3×3 with reflected borders: B×inputs×H×W -> B×outputs×H×W."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")


def stretch(images: Tensor) -> Tensor:
    """(x − min) / (max − min + `EPSILON`) of every image: B×1×H×W -> B×1×H×W in [0, 1)."""
    low, high = torch.aminmax(images.flatten(1), dim=1)
    low, high = low.view(-1, 1, 1, 1), high.view(-1, 1, 1, 1)
    return (images - low) / (high - low + EPSILON)


class CodingStep(nn.Module):
    """z -> μ·z + A ∗ (x − D ∗ z), before the threshold; z is B×C×H×W, x B×1×H×W."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.synthesis = convolution(channels, 1)
        self.analysis = convolution(1, channels)

    def forward(self, code: Tensor, image: Tensor, momentum: Tensor) -> Tensor:
        result: Tensor = momentum * code + self.analysis(image - self.synthesis(code))
        return result


class Coder(nn.Module):
    """B×1×H×W -> B×2·channels×H×W: the low-rank and the sparse code of one modality.

    The threshold, one a channel, is the same after every step. It is not kept at or above zero: a
    published one is below, where it makes a code grow.
    """

    def __init__(self, config: LRRNetConfig) -> None:
        super().__init__()
        features = 2 * config.channels
        self.threshold = nn.Parameter(torch.rand(features, 1, 1))
        self.momentum = nn.Parameter(torch.rand(()))
        self.start = convolution(1, features)
        self.steps = nn.ModuleList(CodingStep(features) for _ in range(config.steps))

    def forward(self, image: Tensor) -> Tensor:
        code = self._shrink(self.start(image))
        for step in self.steps:
            code = self._shrink(step(code, image, self.momentum))
        return code

    def _shrink(self, code: Tensor) -> Tensor:
        return code.sign() * (code.abs() - self.threshold).clamp_min(0)


class Decoder(nn.Module):
    """Both codes, B×2·channels×H×W -> B×1×H×W of no fixed range; linear."""

    def __init__(self, config: LRRNetConfig) -> None:
        super().__init__()
        self.infrared_low_rank = convolution(config.channels, 1)
        self.infrared_sparse = convolution(config.channels, 1)
        self.visible_low_rank = convolution(config.channels, 1)
        self.visible_sparse = convolution(config.channels, 1)
        self.merge_low_rank = convolution(2, 1)
        self.merge_sparse = convolution(2, 1)

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        infrared_low_rank, infrared_sparse = infrared.chunk(2, dim=1)
        visible_low_rank, visible_sparse = visible.chunk(2, dim=1)
        low_rank = [
            self.infrared_low_rank(infrared_low_rank),
            self.visible_low_rank(visible_low_rank),
        ]
        sparse = [self.infrared_sparse(infrared_sparse), self.visible_sparse(visible_sparse)]
        merged = self.merge_low_rank(torch.cat(low_rank, dim=1))
        result: Tensor = merged + self.merge_sparse(torch.cat(sparse, dim=1))
        return result


class LRRNetNetwork(FusionMethod[LRRNetConfig]):
    """Both sources are stretched, coded, decoded, and what is decoded is stretched.

    The last stretch belongs to the method: its loss sees stretched images only, so the decoder's
    output has no scale (0.02 to 0.27 with the published weights).
    """

    def __init__(self, config: LRRNetConfig) -> None:
        super().__init__(config)
        self.infrared = Coder(config)
        self.visible = Coder(config)
        self.decoder = Decoder(config)
        self.reach = 2 * config.steps + 3

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        return stretch(self.fuse(infrared, luminance(visible)))

    def fuse(self, infrared: Tensor, visible: Tensor) -> Tensor:
        """Infrared and luminance B×1×H×W -> B×1×H×W float32, not stretched."""
        sources = stretch(infrared), stretch(visible)
        return _in_tiles(self._decode, *sources, reach=self.reach)

    def _decode(self, infrared: Tensor, visible: Tensor) -> Tensor:
        result: Tensor = self.decoder(self.infrared(infrared), self.visible(visible)).float()
        return result


def _in_tiles(
    fuse: Callable[[Tensor, Tensor], Tensor], infrared: Tensor, visible: Tensor, *, reach: int
) -> Tensor:
    """`fuse(infrared, visible)`, tile by tile, the same but for rounding.

    Every tile is fused with `reach` pixels around it, all that its own pixels depend on.
    """
    height, width = infrared.shape[-2:]
    if max(height, width) <= TILE:
        return fuse(infrared, visible)
    result = torch.empty_like(infrared, dtype=torch.float32)
    for top, left in product(range(0, height, TILE), range(0, width, TILE)):
        first_row, first_column = max(0, top - reach), max(0, left - reach)
        seen = (
            ...,
            slice(first_row, top + TILE + reach),
            slice(first_column, left + TILE + reach),
        )
        tile = fuse(infrared[seen], visible[seen])
        kept = tile[..., top - first_row :, left - first_column :][..., :TILE, :TILE]
        result[..., top : top + TILE, left : left + TILE] = kept
    return result
