"""Losses between a fused image and its sources, all on luminance in [0, 1], all in float32.

Separable filters are products with banded matrices. Convolution libraries are slow on single
planes, and the sides of a crop are short, so the products are several times as fast.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.core.config import Config

Border = Literal["constant", "reflect", "replicate"]


def gaussian_window(size: int, sigma: float) -> Tensor:
    """One-dimensional Gaussian of `size` taps that sums to one, float32."""
    offsets = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    return weights / weights.sum()


def filter_matrix(taps: Tensor, length: int, border: Border | None = None) -> Tensor:
    """Correlation with `taps` along one side of an image, as a matrix to multiply it with.

    Args:
        taps: n weights, n odd.
        length: length of the side.
        border: padding mode beyond the image's border; None keeps only positions where all taps
            lie inside.

    Returns:
        length×length, or (length − n + 1)×length without a border.
    """
    rows = torch.eye(length, device=taps.device, dtype=taps.dtype)
    if border:
        radius = len(taps) // 2
        rows = F.pad(rows.unsqueeze(0), (0, 0, radius, radius), mode=border).squeeze(0)
    return rows.unfold(0, len(taps), 1) @ taps


def correlate(planes: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """Filter every plane with two `filter_matrix`: B×C×H×W -> B×C×H'×W'."""
    return vertical @ (planes @ horizontal.T)


class StructuralSimilarity(nn.Module):
    """Mean SSIM of one image with each of several (Wang et al. 2004).

    Gaussian window of 11 taps, σ 1.5, K1 = 0.01, K2 = 0.03, range 1; only positions where the
    window lies inside the image count (choice: no padding, so borders invent no structure).
    """

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", gaussian_window(11, 1.5), persistent=False)

    def forward(self, image: Tensor, references: Sequence[Tensor]) -> list[Tensor]:
        """Scalars, one a reference; `image` and every reference are B×1×H×W."""
        x, ys = image, torch.cat(list(references), dim=1)
        count = ys.shape[1]
        down, across = (filter_matrix(self.window, side) for side in image.shape[-2:])
        moments = correlate(torch.cat([x, x * x, ys, ys * ys, x * ys], dim=1), down, across)
        mean_x, square_x, mean_y, square_y, product = moments.split([1, 1, count, count, count], 1)
        variance_x = square_x - mean_x.square()
        variance_y = square_y - mean_y.square()
        covariance = product - mean_x * mean_y
        c1, c2 = 0.01**2, 0.03**2
        similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
        similarity = similarity / (mean_x.square() + mean_y.square() + c1)
        similarity = similarity / (variance_x + variance_y + c2)
        return list(similarity.mean((0, 2, 3)).unbind())


class SobelGradient(nn.Module):
    """S_x ∗ x and S_y ∗ x with Sobel kernels: B×1×H×W -> B×2×H×W.

    Args:
        border: padding mode beyond the image's border; "constant" pads with zeros.
        divisor: divisor of the kernels; 8 makes the result a slope per pixel.
    """

    smooth: Tensor
    difference: Tensor

    def __init__(self, border: Border = "reflect", divisor: float = 1.0) -> None:
        super().__init__()
        self.border: Border = border
        self.register_buffer("smooth", torch.tensor([1.0, 2.0, 1.0]), persistent=False)
        difference = torch.tensor([-1.0, 0.0, 1.0]) / divisor
        self.register_buffer("difference", difference, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        (smooth_down, down), (smooth_across, across) = (
            [filter_matrix(taps, side, self.border) for taps in (self.smooth, self.difference)]
            for side in image.shape[-2:]
        )
        x = correlate(image, smooth_down, across)
        y = correlate(image, down, smooth_across)
        return torch.cat([x, y], dim=1)


class SobelMagnitude(SobelGradient):
    """|S_x ∗ x| + |S_y ∗ x|: B×1×H×W -> B×1×H×W."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).abs().sum(1, keepdim=True)


def maximum_terms(
    edges: SobelMagnitude, fused: Tensor, infrared: Tensor, visible: Tensor
) -> dict[str, Tensor]:
    """Distances from the brighter pixel and from the stronger edge, from B×1×H×W each, float32.

    intensity: mean |F − max(I, V)|.
    gradient: mean |S(F) − max(S(I), S(V))|, S = `edges`.
    """
    drawn, *sources = edges(torch.cat([fused, infrared, visible])).chunk(3)
    return {
        "intensity": F.l1_loss(fused, torch.maximum(infrared, visible)),
        "gradient": F.l1_loss(drawn, torch.maximum(*sources)),
    }


def weighted_sum(weights: Config, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`terms`, preceded by "loss": their sum, each term weighted by the field of its name."""
    weighted = [getattr(weights, name) * term for name, term in terms.items()]
    return {"loss": torch.stack(weighted).sum(), **terms}
