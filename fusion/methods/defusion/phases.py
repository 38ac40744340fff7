"""DeFusion's training on single images, each shown twice with different parts hidden.

The masks, losses and their schedule are those of the authors' code. Choices: images are the
visible and the infrared ones of the training pairs in place of COCO's, cropped by the training
loop; colors are changed on the crop; the loss is a mean over the batch in place of a sum.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.images.color import luminance
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.defusion.blocks import Bottleneck
from fusion.methods.defusion.config import DeFusionDecompositionPhaseConfig
from fusion.methods.defusion.network import DeFusionNetwork

CELLS = (20, 10)
"""Sides in pixels of the two grids that masks are products of."""

PUBLISHED_UPDATES = 637_500


class Hidden(NamedTuple):
    """One image, shown twice.

    first, second: B×3×H×W, noise where a part is hidden.
    common, first_only, second_only: masks, B×1×H×W of 0 and 1, of what both show and of what one
        alone shows; together they are everything.
    """

    first: Tensor
    second: Tensor
    common: Tensor
    first_only: Tensor
    second_only: Tensor


def random_images(batch: Batch) -> Tensor:
    """Choose one image of every pair, infrared (three equal channels) or visible: B×3×H×W."""
    chosen = torch.rand(len(batch.infrared), 1, 1, 1, device=batch.infrared.device) < 0.5
    return torch.where(chosen, batch.visible, batch.infrared.expand(-1, 3, -1, -1))


def change_colors(images: Tensor) -> Tensor:
    """Lower brightness, contrast and saturation of every image by its own factors, 0.1 to 1.

    B×3×H×W in [0, 1], kept. Brightness goes to black, contrast to the image's mean luminance,
    saturation to each pixel's luminance, in this order.
    """
    factors = 0.1 + 0.9 * torch.rand(3, len(images), 1, 1, 1, device=images.device)
    brightness, contrast, saturation = factors.to(images.dtype)
    images = images * brightness
    mean = luminance(images).mean((1, 2, 3), keepdim=True)
    images = torch.lerp(mean.expand_as(images), images, contrast)
    return torch.lerp(luminance(images).expand_as(images), images, saturation)


def hide(images: Tensor) -> Hidden:
    """Show every image twice, with blocks hidden at random; nothing is hidden both times.

    Args:
        images: B×3×H×W in [0, 1].
    """
    size = images.shape[-2:]
    shown = 0.1 + torch.rand(len(images), 1, 1, 1, device=images.device) / 1.12
    masks = [_grid(shown, size, CELLS[0]) * _grid(shown, size, CELLS[1]) for _ in range(2)]
    # what neither shows goes to one of the two, by a third grid, a coarse one in a third of cases
    coarse = torch.rand_like(shown) < 1 / 3
    third = torch.where(coarse, _grid(shown, size, CELLS[0]), _grid(shown, size, CELLS[1]))
    neither = (1 - masks[0]) * (1 - masks[1])
    masks = [masks[0] + neither * third, masks[1] + neither * (1 - third)]
    swapped = torch.rand_like(shown) < 0.5
    first = torch.where(swapped, masks[1], masks[0])
    second = torch.where(swapped, masks[0], masks[1])
    common = first * second
    views = [torch.where(mask > 0, images, _noise(images)) for mask in (first, second)]
    return Hidden(views[0], views[1], common, first - common, second - common)


def _grid(shown: Tensor, size: torch.Size, cell: int) -> Tensor:
    """Squares of 1 with probability `shown` (one per image), else 0: B×1×H×W."""
    cells = [-(-side // cell) for side in size]
    coarse = torch.bernoulli(shown.expand(-1, 1, *cells))
    return F.interpolate(coarse, size, mode="nearest")


def _noise(images: Tensor) -> Tensor:
    return torch.randn_like(images).abs().clamp(0, 1)


class LossSchedule(NamedTuple):
    """Parameters of the loss after a number of updates; two scalars.

    leak: how much a prediction counts outside its mask, where it should be 0.
    fused: weight of the fused image's term.
    """

    leak: Tensor
    fused: Tensor


def loss_schedule(update: Tensor) -> LossSchedule:
    """The published schedule; `update` is a scalar, of 637,500."""
    leak = 0.15 * (update.clamp(max=7000) / 7000).square()
    leak = leak * torch.where(update > 40_000, 0.1, 1.0) * (update >= 3000)
    fused = ((update - 10_000).clamp(max=14_000) / 14_000).square() * (update >= 17_000)
    return LossSchedule(leak, fused)


def start_gently(network: DeFusionNetwork) -> None:
    """Initialize every bottleneck to add nothing and every head to output mid-gray (choice).

    With the published initialization, features grow with every block and reach hundreds. A small
    network then learns to switch its features off, and without biases they stay off.
    """
    for module in network.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.leave.weight)
    for head in (network.to_common, network.to_unique, network.to_fused):
        nn.init.zeros_(head.weight)
        if head.bias is not None:
            nn.init.constant_(head.bias, 0.5)


class DeFusionDecompositionPhase(TrainingPhase):
    """Mean errors of the unique parts, the common part and the whole image.

    common, unique: L1 between the predictions and the parts of the image that they represent
        (0 elsewhere); outside its mask a prediction counts `LossSchedule.leak`.
    fused: L1 between the fused and the whole image.

    Predictions count before their ReLU (choice): no target is negative, so the best prediction is
    the same, and a head that has fallen below zero still learns.
    """

    method: DeFusionNetwork
    updates: Tensor

    def __init__(
        self, network: DeFusionNetwork, settings: DeFusionDecompositionPhaseConfig
    ) -> None:
        super().__init__()
        self.method = network
        self.settings = settings
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.train()
        start_gently(network)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        done = self.updates * (PUBLISHED_UPDATES / self.settings.schedule_updates)
        self.updates += 1
        images = change_colors(random_images(batch))
        return self.losses(images, hide(images), loss_schedule(done))

    def losses(self, images: Tensor, hidden: Hidden, schedule: LossSchedule) -> dict[str, Tensor]:
        """The loss and its terms, of images B×3×H×W and their two views."""
        parts = self.method.decompose(hidden.first, hidden.second)
        to_common, to_unique = self.method.to_common, self.method.to_unique

        def error(prediction: Tensor, mask: Tensor) -> Tensor:
            masked = prediction.float() * (schedule.leak + (1 - schedule.leak) * mask)
            return F.l1_loss(masked, mask * images)

        first = error(to_unique(parts.first), hidden.first_only)
        second = error(to_unique(parts.second), hidden.second_only)
        terms = {
            "common": error(to_common(parts.common), hidden.common),
            "unique": first + second,
            "fused": F.l1_loss(self.method.draw(parts).float(), images),
        }
        loss = terms["common"] + terms["unique"] + schedule.fused * terms["fused"]
        return {"loss": loss, **terms}
