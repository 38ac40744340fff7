"""MMA-UNet's loss."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.losses import SobelMagnitude, StructuralSimilarity, weighted_sum
from fusion.methods.mmaunet.config import MMAUNetLossConfig


class MMAUNetLoss(nn.Module):
    """The same three terms for fusing two images R and for reconstructing one; float32.

    mse: mean (F − mean R)².
    ssim: Σ (1 − SSIM(F, R)) / 2.
    edge: (mean |S(F) − max S(R)|)², S = |Sobel_x| + |Sobel_y| with zeros beyond the border.

    Each plane of the output is a separate image.
    """

    def __init__(self, weights: MMAUNetLossConfig) -> None:
        super().__init__()
        self.weights = weights
        self.ssim = StructuralSimilarity()
        self.edges = SobelMagnitude("constant")

    def forward(self, output: Tensor, references: Sequence[Tensor]) -> dict[str, Tensor]:
        """The weighted "loss" and its terms.

        Args:
            output: B×P×H×W.
            references: B×1×H×W each, in [0, 1].
        """
        with torch.autocast(output.device.type, enabled=False):
            image = output.float().flatten(0, 1).unsqueeze(1)
            sources = torch.stack([source.expand_as(output) for source in references])
            sources = sources.flatten(1, 2).unsqueeze(2)  # R × B·P × 1 × H × W
            similarities = self.ssim(image, list(sources))
            wanted = torch.stack([self.edges(source) for source in sources]).amax(0)
            terms = {
                "mse": F.mse_loss(image, sources.mean(0)),
                "ssim": torch.stack([(1 - value) / 2 for value in similarities]).sum(),
                "edge": F.l1_loss(self.edges(image), wanted).square(),
            }
            return weighted_sum(self.weights, terms)
