"""Groups of near-duplicate frames: data sets cut from video must not straddle a split."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion.images import Pair, read_infrared, read_visible, to_grey

SIMILAR = 0.9
_THUMBNAIL = (32, 24)


def near_duplicates(pairs: Sequence[Pair]) -> dict[str, int]:
    """Number the runs of consecutive pairs that look alike.

    Neighbours in the order of names belong together if the correlation of their 32×24 thumbnails,
    averaged over infrared and visible, is above 0.9 (choice).

    Returns:
        Group number by name, from 0.
    """
    with ThreadPoolExecutor() as pool:
        thumbnails = list(pool.map(_thumbnails, pairs))
    group, groups = 0, {pairs[0].name: 0}
    for (before, after), pair in zip(pairwise(thumbnails), pairs[1:], strict=True):
        group += float((before * after).sum(1).mean()) <= SIMILAR
        groups[pair.name] = group
    return groups


def _thumbnails(pair: Pair) -> NDArray[np.float64]:
    """Infrared and visible, each 768 values of mean 0 and length 1: 2×768."""
    images = (read_infrared(pair.infrared).pixels, to_grey(read_visible(pair.visible).pixels))
    small = [cv2.resize(image, _THUMBNAIL, interpolation=cv2.INTER_AREA) for image in images]
    values = np.stack(small).reshape(2, -1).astype(np.float64)
    values -= values.mean(1, keepdims=True)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
