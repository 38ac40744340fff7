"""UMF's training of the fusion network."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.losses import correlate, filter_matrix, gaussian_window, weighted_sum
from fusion.blocks.saliency import saliency_target
from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.umf.config import UMFLossConfig
from fusion.methods.umf.network import UMFNetwork

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA = 11, 1.5


def multiscale_similarity(first: Tensor, second: Tensor, value_range: float) -> Tensor:
    """MS-SSIM of two B×1×H×W as the authors compute it, a scalar (Wang et al. 2003).

    Zeros beyond the border. At coarse scales the window shrinks to the image, to an odd number of
    taps (choice), and its σ with it. A negative mean counts as 1e-6 (choice): its power has no
    value.
    """
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    product = first.new_ones(())
    for scale, weight in enumerate(SCALE_WEIGHTS, start=1):
        taps = min(WINDOW, *first.shape[-2:])
        taps -= 1 - taps % 2
        window = gaussian_window(taps, SIGMA * taps / WINDOW).to(first.device)
        down, across = (filter_matrix(window, side, "constant") for side in first.shape[-2:])
        planes = torch.cat([first, second, first**2, second**2, first * second], dim=1)
        mean_x, mean_y, square_x, square_y, both = correlate(planes, down, across).chunk(5, dim=1)
        covariance = both - mean_x * mean_y
        variances = square_x - mean_x**2 + square_y - mean_y**2
        values = (2 * covariance + c2) / (variances + c2)
        coarsest = scale == len(SCALE_WEIGHTS)
        if coarsest:
            values = values * (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        product = product * values.mean().clamp_min(1e-6) ** weight
        if not coarsest:
            first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
    return product


class UMFLoss(nn.Module):
    """The published loss, on luminance in [0, 1], in float32; T is `saliency_target`.

    The authors weigh whole images and store the weights in 8 bits; here they are a crop's (choice).

    ssim: 1 − MS-SSIM(F, T).
    intensity: mean |F − T|.
    gradient: mean | max(|ΔI|, |ΔV|) − |ΔF| |, Δ: (the eight neighbors' sum − 8·pixel) / 16.
    """

    kernel: Tensor

    def __init__(self, weights: UMFLossConfig) -> None:
        super().__init__()
        self.weights = weights
        kernel = torch.ones(1, 1, 3, 3)
        kernel[..., 1, 1] = -8
        self.register_buffer("kernel", kernel / 16, persistent=False)

    def forward(self, fused: Tensor, infrared: Tensor, visible: Tensor) -> dict[str, Tensor]:
        """The weighted "loss" and its terms, from B×1×H×W each."""
        with torch.autocast(fused.device.type, enabled=False):
            fused, weights = fused.float(), self.weights
            target = saliency_target(infrared, visible)
            edges = self._edges(torch.cat([fused, infrared, visible])).chunk(3)
            terms = {
                "ssim": 1 - multiscale_similarity(fused, target, weights.ssim_range),
                "intensity": F.l1_loss(fused, target),
                "gradient": F.l1_loss(edges[0], torch.maximum(edges[1], edges[2])),
            }
            return weighted_sum(weights, terms)

    def _edges(self, images: Tensor) -> Tensor:
        padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, self.kernel).abs()


class UMFFusionPhase(TrainingPhase):
    """Everything is trained, on aligned pairs: infrared stands for the registered infrared."""

    method: UMFNetwork

    def __init__(self, network: UMFNetwork, weights: UMFLossConfig) -> None:
        super().__init__()
        self.method = network
        self.loss = UMFLoss(weights)
        self.train()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        visible = luminance(batch.visible)
        fused = self.method.fuse(batch.infrared, visible)
        losses: dict[str, Tensor] = self.loss(fused, batch.infrared, visible)
        return losses
