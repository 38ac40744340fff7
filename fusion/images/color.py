"""Color: luminance is fused, chrominance is the visible image's (BT.601, full range).

The convention of CDDFuse and EMMA: the fused luminance replaces the visible image's, Cb and Cr
are kept. In RGB that is an equal shift of all three channels by the change in luminance, because
R = Y + 1.402 Cr, B = Y + 1.772 Cb and G follow Y with slope one.
"""

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)


def luminance(rgb: Tensor) -> Tensor:
    """BT.601 luma: B×3×H×W in [0, 1] -> B×1×H×W in [0, 1].

    >>> luminance(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).item()
    0.298...
    """
    red, green, blue = rgb.split(1, dim=1)
    luma: Tensor = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return luma


def restore_color(fused: Tensor, visible: Tensor) -> Tensor:
    """Give fused luminance the visible image's chrominance.

    A changed luminance can leave the RGB cube; such values are clipped, never wrapped.

    Args:
        fused: luminance, B×1×H×W in [0, 1].
        visible: RGB, B×3×H×W in [0, 1].

    Returns:
        RGB, B×3×H×W in [0, 1]; gray wherever the visible image is gray.
    """
    return (visible + (fused - luminance(visible))).clamp(0, 1)


def stretch(fused: Tensor) -> Tensor:
    """Stretch every image to its own full range: minimum -> 0, maximum -> 1.

    The test code of CDDFuse and EMMA does this before saving. Stretching alone adds 20-41 % to SD,
    SF and AG, so a leaderboard uses it for every method or for none. Constant images do not change.

    Args:
        fused: B×1×H×W.

    Returns:
        B×1×H×W in [0, 1] (unchanged where constant).

    >>> stretch(torch.tensor([0.25, 0.5, 0.75]).view(1, 1, 1, 3)).flatten()
    tensor([0.0000, 0.5000, 1.0000])
    """
    low, high = torch.aminmax(fused.flatten(1), dim=1)
    low, span = low.view(-1, 1, 1, 1), (high - low).view(-1, 1, 1, 1)
    return torch.where(
        span > 0, (fused - low) / span.clamp_min(torch.finfo(fused.dtype).tiny), fused
    )
