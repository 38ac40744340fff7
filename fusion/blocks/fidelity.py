"""VIF as a loss: visual information fidelity, differentiable, on luminance in [0, 1]."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fusion.blocks.config import SMALLEST_VIF_SIDE
from fusion.blocks.losses import correlate, filter_matrix, gaussian_window

SCALES = 4
NOISE = 2.0
"""Variance of the noise of vision, in gray levels of 0..255, squared."""
FLAT = 0.01
"""Variance of a window without information, in the same unit."""


class VisualInformationFidelity(nn.Module):
    """VIF of one image with each of several references (Sheikh and Bovik 2006, `vifp`).

    The sum over two references is the metric VIF of a fused image.

    Windows in which a reference varies by less than `FLAT` do not count (choice: rounding errors
    there would give gradients of any size). Where none counts, the value is 1, as the metric's is
    for a constant reference.
    """

    def forward(self, image: Tensor, references: Sequence[Tensor]) -> list[Tensor]:
        """Means over the batch, about 0..1, one a reference; all images are B×1×H×W.

        Raises:
            ValueError: a side is shorter than `SMALLEST_VIF_SIDE`.
        """
        height, width = image.shape[-2:]
        if min(height, width) < SMALLEST_VIF_SIDE:
            reason = f"VIF needs {SMALLEST_VIF_SIDE} pixels a side, not {width}x{height}"
            raise ValueError(f"{reason}: use larger crops")
        planes = torch.cat([image, *references], dim=1) * 255 - 127.5
        kept = carried = planes.new_zeros(len(image), len(references))
        for scale in range(SCALES):
            size = 2 ** (SCALES - scale) + 1
            window = gaussian_window(size, size / 5).to(planes)
            if scale > 0:
                down, across = (filter_matrix(window, side)[::2] for side in planes.shape[-2:])
                planes = correlate(planes, down, across)
            kept_here, carried_here = _information(planes, window)
            kept, carried = kept + kept_here, carried + carried_here
        ratio = kept / carried.where(carried > 0, 1.0)
        return list(ratio.masked_fill(carried == 0, 1).mean(0).unbind())


def _information(planes: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """At one scale, B×references each: kept by the first plane, and carried."""
    down, across = (filter_matrix(window, side) for side in planes.shape[-2:])
    images, references = planes[:, :1], planes[:, 1:]
    count = planes.shape[1]
    moments = torch.cat([planes, planes.square(), images * references], dim=1)
    mean, square, product = correlate(moments, down, across).split([count, count, count - 1], 1)
    variance = (square - mean.square()).clamp_min(0)
    covariance = (product - mean[:, :1] * mean[:, 1:]).clamp_min(0)
    total, source = variance[:, :1], variance[:, 1:]
    varied = source > FLAT
    signal = covariance.square() / source.where(varied, 1.0)
    signal = signal.where(varied, 0.0).minimum(total)  # the total is larger, but for rounding
    kept = torch.log1p(signal / (total - signal + NOISE))
    carried = torch.log1p(source / NOISE).where(varied, 0.0)
    return kept.sum((2, 3)), carried.sum((2, 3))
