"""Pictures of captioned panels side by side, and the choice of images to show."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")

_GAP, _CAPTION = 4, 18


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` items spread evenly over all, first and last included; in their order.

    >>> spread("abcdefg", 3)
    ['a', 'd', 'g']
    """
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in places]


def side_by_side(panels: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Panels in a row on white, each below its caption.

    Args:
        panels: RGB, H×W×3 by caption; of one height.

    Returns:
        RGB, (H + 18)×(sum of W + 4 between panels)×3.
    """
    row = np.hstack([_captioned(title, panel) for title, panel in panels.items()])
    return np.ascontiguousarray(row[:, _GAP:])


def _captioned(title: str, panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    framed = np.pad(panel, ((_CAPTION, 0), (_GAP, 0), (0, 0)), constant_values=255)
    cv2.putText(
        framed, title, (_GAP, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA
    )
    return framed
