"""How steadily a fused video follows its sources. The definitions are this project's own.

No motion is estimated. Between two frames, a pixel may change as much as it changes in one of the
sources; what it changes beyond that comes from the fusion.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class TemporalChange(NamedTuple):
    """Changes between two consecutive frames, in gray levels.

    flicker: mean over pixels of how far the fused image's absolute change exceeds the larger
        absolute change of both sources; 0 if no pixel exceeds it. Lower is better.
    deviation: mean absolute difference between the fused image's change and the change of the
        source that changes more at that pixel. Also counts changes that are lost or damped.
        Lower is better.
    """

    flicker: float
    deviation: float


class Frames(NamedTuple):
    """Gray levels of one moment, uint8 H×W each."""

    infrared: NDArray[np.uint8]
    visible: NDArray[np.uint8]
    fused: NDArray[np.uint8]


def temporal_change(before: Frames, after: Frames) -> TemporalChange:
    """Measure the change from one frame to the next.

    Raises:
        ValueError: the images differ in shape.

    >>> still = np.zeros((2, 2), np.uint8)
    >>> temporal_change(Frames(still, still, still), Frames(still + 10, still + 4, still + 13))
    TemporalChange(flicker=3.0, deviation=3.0)
    """
    if len({image.shape for frames in (before, after) for image in frames}) > 1:
        raise ValueError("the images of two frames differ in shape")
    infrared, visible, fused = (
        second.astype(np.int16) - first for first, second in zip(before, after, strict=True)
    )
    source = np.where(np.abs(infrared) >= np.abs(visible), infrared, visible)
    excess = np.maximum(np.abs(fused) - np.abs(source), 0)
    return TemporalChange(float(excess.mean()), float(np.abs(fused - source).mean()))
