"""Made video: a window that moves over stills, so that the true motion is known."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fusion.images.decode import read_infrared, read_visible, to_rgb
from fusion.images.pairs import Pair

Pixels = NDArray[np.uint8]


class Moment(NamedTuple):
    """Infrared H×W and visible H×W×3 of one moment, uint8."""

    infrared: Pixels
    visible: Pixels


def moving_window(pair: Pair, count: int, size: tuple[int, int], step: int) -> Iterator[Moment]:
    """Frames of a window that moves `step` pixels a frame to the right, and back at the border.

    Args:
        pair: a still that is wider than the window by `step` or more.
        size: (height, width) of the window, which stays in the middle rows.
    """
    infrared = read_infrared(pair.infrared).pixels
    visible = to_rgb(read_visible(pair.visible).pixels)
    (height, width), top = size, (infrared.shape[0] - size[0]) // 2
    places = (infrared.shape[1] - width) // step + 1
    if top < 0 or places < 2:
        raise ValueError(f"{pair.name} is too small for a moving window of {width}x{height}")
    rows = slice(top, top + height)
    for number in range(count):
        left = step * triangle(number, places)
        columns = slice(left, left + width)
        yield Moment(infrared[rows, columns], visible[rows, columns])


def triangle(number: int, places: int) -> int:
    """0, 1, …, places − 1, places − 2, …, 0, 1, …"""
    position = number % (2 * places - 2)
    return min(position, 2 * places - 2 - position)


def encode(path: Path, size: tuple[int, int], frames: Iterator[Pixels], rate: int = 25) -> None:
    """Write RGB or gray frames of (height, width) as H.264."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for pixels in frames:
            kind = "rgb24" if pixels.ndim == 3 else "gray"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=kind)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
