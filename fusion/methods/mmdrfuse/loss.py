"""What MMDRFuse's training compares, on luminance in [0, 1]; images are B×1×H×W."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.blocks.losses import StructuralSimilarity
from fusion.blocks.vgg import VGGFeatures

STAGES = 5


class MMDRFuseLoss(nn.Module):
    """The published terms between a fused image F, M = max(I, V), and a better image b of old.

    intensity: mean |M − F|.
    gradient: mean (∇F − ∇M)², ∇: the mean of the eight neighbors less the pixel, zeros beyond the
        border.
    perception: mean over k of MSE(max(ψₖ(I), ψₖ(V)), ψₖ(F)), ψ₁ to ψ₅: VGG-19's features.
    """

    kernel: Tensor

    def __init__(self, vgg19: str | None) -> None:
        super().__init__()
        self.features = VGGFeatures(Path(vgg19), 19, STAGES) if vgg19 else None
        self.ssim = StructuralSimilarity()
        kernel = torch.full((1, 1, 3, 3), 1 / 8)
        kernel[..., 1, 1] = -1
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, fused: Tensor, infrared: Tensor, visible: Tensor) -> dict[str, Tensor]:
        """The three terms."""
        brighter = torch.maximum(infrared, visible)
        terms = {
            "intensity": F.l1_loss(brighter, fused),
            "gradient": F.mse_loss(self._gradient(fused), self._gradient(brighter)),
        }
        if self.features:
            triples = zip(*map(self.features, (fused, infrared, visible)), strict=True)
            errors = [F.mse_loss(torch.maximum(i, v), f) for f, i, v in triples]
            terms["perception"] = torch.stack(errors).mean()
        return terms

    def structure(self, image: Tensor, sources: Sequence[Tensor]) -> Tensor:
        """SSIM with both sources, summed; higher is better."""
        return torch.stack(self.ssim(image, sources)).sum()

    def structure_distance(self, fused: Tensor, better: Tensor) -> Tensor:
        """mean |b − F| and half the errors of ψ₄ and ψ₅."""
        return F.l1_loss(better, fused) + self._feature_error(fused, better, (3, 4))

    def gradient_distance(self, fused: Tensor, better: Tensor) -> Tensor:
        """mean (∇F − ∇b)² and a third of the errors of ψ₁, ψ₂ and ψ₃."""
        error = F.mse_loss(self._gradient(fused), self._gradient(better))
        return error + self._feature_error(fused, better, (0, 1, 2))

    def _feature_error(self, fused: Tensor, better: Tensor, stages: Sequence[int]) -> Tensor:
        if self.features is None:
            return fused.new_zeros(())
        first, second = self.features(fused), self.features(better)
        return torch.stack([F.mse_loss(second[stage], first[stage]) for stage in stages]).mean()

    def _gradient(self, image: Tensor) -> Tensor:
        return F.conv2d(image, self.kernel, padding=1)


def magnitude_deviation(image: Tensor, sources: Sequence[Tensor]) -> Tensor:
    """Gradient magnitude similarity deviation from both sources, summed (Xue et al. 2014).

    Lower is better. On 0..255, images halved by means of 2×2 pixels, Prewitt kernels inside the
    border, c = 170, unbiased deviation, mean over the batch.
    """
    own = _magnitude(image)
    deviations = []
    for source in sources:
        other = _magnitude(source)
        similarity = (2 * own * other + 170) / (own.square() + other.square() + 170)
        deviations.append(similarity.flatten(1).std(1).mean())
    return torch.stack(deviations).sum()


def _magnitude(image: Tensor) -> Tensor:
    halved = F.avg_pool2d(image * 255, 2)
    rows = halved[..., :-2] - halved[..., 2:]
    columns = halved[..., :-2, :] - halved[..., 2:, :]
    x = (rows[..., :-2, :] + rows[..., 1:-1, :] + rows[..., 2:, :]) / 3
    y = (columns[..., :-2] + columns[..., 1:-1] + columns[..., 2:]) / 3
    return (x.square() + y.square() + 1e-12).sqrt()


def pattern_distance(first: Tensor, second: Tensor) -> Tensor:
    """‖a/‖a‖ − b/‖b‖‖², norms over the whole batch: of patterns, not of brightness."""
    a, b = (x / torch.linalg.vector_norm(x).clamp_min(1e-12) for x in (first, second))
    result: Tensor = (a - b).square().sum()
    return result
