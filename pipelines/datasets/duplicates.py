"""Near-duplicate frames of a video-like data set, so that a split can keep them together."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fusion.images.decode import to_gray
from fusion.images.pairs import natural_key

THRESHOLD = 0.4
WINDOW = 100

_ROWS, _COLUMNS, _CELL, _ORIENTATIONS = 6, 8, 8, 8
_FLOOR = 20.0  # keeps the noise of cells without edges from looking like structure


def near_duplicates(
    features: Mapping[str, NDArray[np.float32]],
    threshold: float = THRESHOLD,
    window: int = WINDOW,
) -> dict[str, int]:
    """Group frames that show the same scene.

    Two frames are linked if the mean of their infrared and their visible correlation exceeds
    `threshold` and they are at most `window` places apart in the order of names; groups are the
    connected components.

    The threshold is a choice: among real M3FD frames, scenes filmed again correlate at 0.42 and
    more, others at 0.27 and less. Where all scenes are alike, as MSRS's from one car, other
    streets reach 0.46: such links only make groups larger, and so keep the split safe. The window
    is a choice too: frames of a video lie close together, and without it the rare false links among
    all pairs of a large set would chain it into one group.

    Args:
        features: `describe_pair` of every frame, by name.
        threshold: correlation above which two frames are linked.
        window: largest distance in the order of names.

    Returns:
        A group number for every name.
    """
    ordered = sorted(features, key=natural_key)
    table = np.stack([features[name] for name in ordered])
    rows, columns = [], []
    for offset in range(1, min(window, len(ordered) - 1) + 1):
        similarity = np.einsum("nf,nf->n", table[:-offset], table[offset:]) / 2
        linked = np.flatnonzero(similarity > threshold)
        rows.append(linked)
        columns.append(linked + offset)
    first = np.concatenate([np.zeros(0, np.int64), *rows])
    second = np.concatenate([np.zeros(0, np.int64), *columns])
    size = (len(ordered), len(ordered))
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=size)
    labels = connected_components(links, directed=False)[1]
    return {name: int(label) for name, label in zip(ordered, labels, strict=True)}


def describe_pair(infrared: NDArray[np.uint8], visible: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Two unit vectors, infrared then visible: half their dot product is the mean correlation.

    Each is a histogram of gradient orientations (Dalal and Triggs, 2005) on a 6×8 grid, centered
    and of unit length.

    Args:
        infrared: gray H×W.
        visible: gray H×W or RGB H×W×3.
    """
    images = infrared, to_gray(visible)
    return np.concatenate([gradient_histogram(image) for image in images])


def gradient_histogram(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Orientation histograms of an 8-bit gray H×W image on a 6×8 grid; 384 values, unit length.

    An image without gradients gives zeros.
    """
    size = (_COLUMNS * _CELL, _ROWS * _CELL)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    across, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    angle = np.arctan2(down, across) % np.pi / np.pi
    orientation = (angle * _ORIENTATIONS).astype(int) % _ORIENTATIONS
    row, column = np.indices(small.shape) // _CELL
    place = (row * _COLUMNS + column) * _ORIENTATIONS + orientation
    bins = _ROWS * _COLUMNS * _ORIENTATIONS
    weighted = np.bincount(place.ravel(), np.hypot(across, down).ravel(), minlength=bins)
    cells = weighted.reshape(-1, _ORIENTATIONS)
    cells = cells / (np.linalg.norm(cells, axis=1, keepdims=True) + _FLOOR)
    centered = (cells - cells.mean(0)).ravel()
    length = float(np.linalg.norm(centered))
    unit: NDArray[np.float32] = (centered / length if length > 0 else centered).astype(np.float32)
    return unit
