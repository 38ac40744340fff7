"""What ultralytics lacks for images of four channels, which it reads as B, G, R, infrared.

Imported only after `detection.offline.go_offline`.
"""

from typing import Any

import numpy as np
from torch import nn
from ultralytics.data.augment import RandomHSV

from fusion.images.stacked import STACKED, filters_with_infrared


class ColorOfVisible(RandomHSV):
    """Changes the color of the first three channels; the base leaves four as they are.

    It draws the same random numbers as its base, so all rows see the same augmentations.
    """

    def apply_image(
        self, labels: dict[str, Any], params: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        image = labels["img"]
        visible = np.ascontiguousarray(image[..., :3])
        super().apply_image({"img": visible}, params)
        image[..., :3] = visible
        return labels


def with_color(step: Any) -> Any:
    """A step of the augmentation, with the visible channels in place of the whole image."""
    if isinstance(step, RandomHSV):
        return ColorOfVisible(step.hgain, step.sgain, step.vgain)
    return step


def load_first_filters(model: nn.Module, weights: nn.Module) -> None:
    """Fill the filters of the image from start weights for three channels, R, G, B.

    All other tensors stay as they are. Weights that already take four channels change nothing.
    """
    own, given = model.state_dict(), weights.state_dict()
    for name, value in own.items():
        found = given.get(name)
        if found is None or found.ndim != 4 or found.shape[1] != 3:
            continue
        if value.shape == (found.shape[0], STACKED, *found.shape[2:]):
            value.copy_(filters_with_infrared(found.float().flip(1)))
