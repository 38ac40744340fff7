"""What a sensing network must beat: a table from the fused image's gray level alone."""

import torch
from torch import Tensor, nn

LEVELS = 256


class ToneCurves(nn.Module):
    """The best table of 256 gray levels for each source, over all crops seen so far.

    The table's entry is the mean of the source where the fused image has this level, so no other
    function of single pixels has a smaller squared error on these crops. A sensing network that is
    not clearly better has learned nothing about what an image looks like.

    The sums are buffers, so a resumed run goes on with them.
    """

    counts: Tensor
    sums: Tensor
    squares: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(LEVELS))
        self.register_buffer("sums", torch.zeros(2, LEVELS))
        self.register_buffer("squares", torch.zeros(2))

    @torch.no_grad()
    def forward(self, fused: Tensor, sources: tuple[Tensor, Tensor], weight: Tensor) -> Tensor:
        """Add a batch, then return the mean squared error of both tables on all crops so far.

        Args:
            fused: B×K×H×W in [0, 1], a pair's K fused images.
            sources: infrared and visible luminance, B×1×H×W each.
            weight: B values; crops of weight zero do not count.

        Returns:
            2 values, one a source; zero before any crop has counted.
        """
        levels = (fused * (LEVELS - 1)).round().long().flatten()
        weights = weight.view(-1, 1, 1, 1).expand_as(fused).flatten()
        self.counts.index_add_(0, levels, weights)
        for number, source in enumerate(sources):
            values = source.expand_as(fused).flatten()
            self.sums[number].index_add_(0, levels, weights * values)
            self.squares[number] += (weights * values.square()).sum()
        explained = (self.sums.square() / self.counts.clamp_min(1e-12)).sum(1)
        return (self.squares - explained) / self.counts.sum().clamp_min(1e-12)
