"""Transforms under which natural images stay natural (EMMA; Zhao et al. 2024).

Fusing both sensors' views of a transformed scene must give the transformed fused image. All
transforms keep the size and are differentiable: B×C×H×W -> B×C×H×W.
"""

import torch
from torch import Tensor


def random_shifts(images: Tensor, count: int) -> list[Tensor]:
    """Circular shifts, the same for all images, drawn from torch's global generator.

    No two share their offset along an axis and none is zero along one, so `count` must be less
    than both sides.
    """
    offsets = [(torch.randperm(side - 1)[:count] + 1).tolist() for side in images.shape[-2:]]
    return [images.roll(shift, (2, 3)) for shift in zip(*offsets, strict=True)]


def rotations(images: Tensor, count: int) -> list[Tensor]:
    """Rotations around the center by `count` evenly spaced angles from 10 degrees on.

    Counter-clockwise, bilinear, zero where the image does not reach; three are 10, 130 and 250
    degrees.
    """
    # not at the top: it takes seconds to import
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2.functional import rotate

    angles = [10 + 360 * number / count for number in range(count)]
    return [rotate(images, angle, InterpolationMode.BILINEAR) for angle in angles]


def flips(images: Tensor) -> list[Tensor]:
    """Mirrored left to right, top to bottom, and both."""
    return [images.flip(axes) for axes in ((3,), (2,), (2, 3))]


def transformed(images: Tensor, shift_count: int, rotation_count: int) -> Tensor:
    """The images themselves, then all their shifts, rotations and flips.

    Args:
        images: B×C×H×W.
        shift_count: at most min(H, W) − 1.
        rotation_count: any.

    Returns:
        ((4 + shift_count + rotation_count)·B)×C×H×W; the first B are `images`.
    """
    return torch.cat(
        [
            images,
            *random_shifts(images, shift_count),
            *rotations(images, rotation_count),
            *flips(images),
        ]
    )
