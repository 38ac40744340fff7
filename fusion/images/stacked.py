"""Both images of a pair as one of four channels: RGB, then infrared, without fusing (early fusion).

A detector or a segmentation network with four input channels reads them: the comparison that a
fusion method must win.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion.images.decode import (
    read_four_channels,
    read_infrared,
    read_visible,
    to_rgb,
    write_image,
)
from fusion.images.opening import open_image
from fusion.images.pairs import Pair

STACKED = 4
"""Channels of a stacked image."""


def stack_pairs(pairs: Sequence[Pair], output: Path) -> None:
    """Write `output/<name>.png` for every pair: an RGBA file whose alpha is the infrared image.

    Raises:
        InputError: an image is missing or damaged.
    """
    output.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        visible = to_rgb(read_visible(pair.visible).pixels)
        stacked = np.dstack([visible, read_infrared(pair.infrared).pixels])
        write_image(output / f"{pair.name}.png", stacked)


def channels_of(path: Path) -> int:
    """Channels that `read_input` returns, from the file's header.

    Raises:
        InputError: the file is missing or no image.
    """
    with open_image(path) as image:
        return STACKED if image.mode == "RGBA" else 3


def read_input(path: Path) -> NDArray[np.uint8]:
    """What a network sees of a fused or a stacked image: H×W×3 RGB, or H×W×4 RGB and infrared.

    Raises:
        InputError: the file is missing or damaged.
    """
    if channels_of(path) != STACKED:
        return to_rgb(read_visible(path).pixels)
    infrared, visible = read_four_channels(path)
    return np.dstack([visible.pixels, infrared.pixels])


def filters_with_infrared(filters: Tensor) -> Tensor:
    """Filters for four channels from trained ones for three; a choice.

    The infrared channel gets the mean of the three colors' filters, and all are scaled by 3/4, so
    that a gray image as all four channels gives the response that it gave as three.

    Args:
        filters: of a first convolution, O×3×h×w.

    Returns:
        O×4×h×w.

    >>> filters_with_infrared(torch.full((1, 3, 1, 1), 4.0)).flatten()
    tensor([3., 3., 3., 3.])
    """
    return torch.cat([filters, filters.mean(1, keepdim=True)], dim=1) * (3 / 4)
