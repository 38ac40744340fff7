"""A picture of a method's output on a few fixed pairs, for monitoring training."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fusion.images.color import restore_color
from fusion.methods.base import FusionMethod
from fusion.training.sampler import PairStore


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Switch to eval mode within the block, then restore the mode of every submodule."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def picture_grid(
    method: FusionMethod, store: PairStore, crop: int, rows: int = 4
) -> NDArray[np.uint8]:
    """Fuse the centers of a few pairs, spread evenly over the store.

    Returns:
        One row a pair: infrared, visible, fused; uint8, (rows·crop)×(3·crop)×3.
    """
    device = next(method.parameters()).device
    home = store.pixels.device
    images = torch.linspace(0, len(store) - 1, min(rows, len(store)), device=home).long()
    center = torch.tensor([0.5, 0.5, 1.0, 1.0], device=home).expand(len(images), 4)
    batch = store.crops(images, crop, center, device)
    with evaluating(method), torch.inference_mode():
        fused = method(batch.infrared, batch.visible)
        if method.restores_color:
            fused = restore_color(fused, batch.visible)
    columns = [plane.expand(-1, 3, -1, -1) for plane in (batch.infrared, batch.visible, fused)]
    grid = torch.cat(columns, dim=3).permute(0, 2, 3, 1).flatten(0, 1)
    return (grid.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
