"""Sparsity and divergence of infrared and visible images (PoMAI, Figure 1).

The paper names the measures but not the formulas; the formulas here are a choice. Visible images
are luminance, rounded to 8 bits; all measures are of gray levels 0..255.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fusion.images.decode import read_infrared, read_visible, to_gray
from fusion.images.pairs import Pair, check_same_size

Gray = NDArray[np.uint8]


def gradient_change_rate(image: Gray) -> float:
    """Mean length of the gradient (choice: forward differences), in gray levels per pixel.

    Args:
        image: H×W. The mean is over the (H−1)(W−1) pixels that have both neighbors.
    """
    levels = image.astype(np.float64)
    right = levels[:-1, 1:] - levels[:-1, :-1]
    down = levels[1:, :-1] - levels[:-1, :-1]
    return float(np.hypot(right, down).mean())


def laplacian_variance(image: Gray) -> float:
    """Variance of the Laplacian (choice: four neighbors, borders mirrored without repetition)."""
    return float(cv2.Laplacian(image, cv2.CV_64F, borderType=cv2.BORDER_REFLECT_101).var())


def entropy(image: Gray) -> float:
    """Shannon entropy of the histogram of 256 gray levels, in bits: 0..8."""
    return _entropy(_histogram(image))


def l1_norm(image: Gray) -> float:
    """Mean absolute gray level: the L1 norm per pixel (choice), independent of size."""
    return float(image.mean())


def jensen_shannon_divergence(first: Gray, second: Gray) -> float:
    """Divergence of two images' histograms of 256 gray levels, in bits.

    H((p + q)/2) − (H(p) + H(q))/2: 0 for equal histograms, 1 for disjoint ones.
    """
    p, q = _histogram(first), _histogram(second)
    return max(0.0, _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2)


SPARSITY: dict[str, Callable[[Gray], float]] = {
    "GCR": gradient_change_rate,
    "Lap": laplacian_variance,
    "H": entropy,
    "L1": l1_norm,
}
"""Measures by the paper's names; all are lower for the sparser image."""


class Clusters(NamedTuple):
    """Groups of pairs by divergence, in ascending order.

    centers: K means. labels: the group of every pair, 0..K−1.
    """

    centers: list[float]
    labels: list[int]


def cluster(values: Sequence[float], count: int = 3) -> Clusters:
    """The optimal K-means clustering of numbers.

    The groups of the best one are runs of the sorted values, so the ends of all runs are tried, by
    dynamic programming (choice: Lloyd's iterations can leave a group empty). Fewer distinct values
    give fewer groups. Values count as equal up to nine decimals.
    """
    data = np.asarray(values, dtype=np.float64).round(9)
    distinct, places, weights = np.unique(data, return_inverse=True, return_counts=True)
    count = min(count, len(distinct))
    powers = weights * np.stack([np.ones_like(distinct), distinct, distinct**2])
    sums = np.concatenate([np.zeros((3, 1)), powers.cumsum(axis=1)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        size, total, squares = sums[:, None, :] - sums[:, :, None]  # of the run from i up to j
        scatter = np.where(size > 0, squares - total**2 / size, np.inf)
    best, starts = scatter[0], []
    for _ in range(count - 1):
        candidates = best[:, None] + scatter
        starts.append(candidates.argmin(axis=0))
        best = candidates.min(axis=0)
    ends = [len(distinct)]
    for start in reversed(starts):
        ends.append(int(start[ends[-1]]))
    edges = np.array([0, *reversed(ends)])
    labels = np.searchsorted(edges, places, side="right") - 1
    centers = [float(data[labels == label].mean()) for label in range(count)]
    return Clusters(centers, labels.tolist())


def measure_pairs(
    pairs: Sequence[Pair],
    on_pair: Callable[[], object] = lambda: None,
    *,
    infrared_range: tuple[float, float] | None = None,
    on_note: Callable[[Path, str], None] = lambda *_: None,
) -> pd.DataFrame:
    """All measures of all pairs.

    Args:
        on_pair: called after each pair.
        infrared_range: declared range of `read_infrared`.
        on_note: called with each image that needed more than decoding, and the note
            (`ImageRead.notes`, after the kind of image), from other threads.

    Returns:
        One row per pair: name, "<measure> infrared" and "<measure> visible" for every measure of
        `SPARSITY`, and JS.

    Raises:
        InputError: an image cannot be read, the two of a pair differ in size, or the range is not
            two finite numbers in order.
    """
    rows = []
    with ThreadPoolExecutor(4) as pool:
        measure = partial(_measure, infrared_range=infrared_range, on_note=on_note)
        for row in pool.map(measure, pairs):
            rows.append(row)
            on_pair()
    return pd.DataFrame(rows)


def summarize(frame: pd.DataFrame) -> dict[str, Any]:
    """The content of Figure 1, ready for JSON.

    Returns:
        pairs: their number.
        sparsity: by measure the means of both modalities and P, the share of pairs in which the
            infrared value is below, equal to or above the visible one's.
        divergence: mean of JS, the clusters (center, pairs), and every pair's JS and cluster.
    """
    clusters = cluster(frame["JS"].tolist())
    labeled = zip(frame["name"], frame["JS"], clusters.labels, strict=True)
    return {
        "pairs": len(frame),
        "sparsity": {
            name: _compare(frame[f"{name} infrared"], frame[f"{name} visible"]) for name in SPARSITY
        },
        "divergence": {
            "unit": "bits",
            "mean": float(frame["JS"].mean()),
            "clusters": [
                {"center": center, "pairs": clusters.labels.count(label)}
                for label, center in enumerate(clusters.centers)
            ],
            "values": {name: {"JS": value, "cluster": label} for name, value, label in labeled},
        },
    }


def _measure(
    pair: Pair,
    *,
    infrared_range: tuple[float, float] | None,
    on_note: Callable[[Path, str], None],
) -> dict[str, Any]:
    check_same_size(pair)
    reads = read_infrared(pair.infrared, infrared_range), read_visible(pair.visible)
    for note in reads[0].notes:
        on_note(pair.infrared, f"infrared: {note}")
    for note in reads[1].notes:
        on_note(pair.visible, f"visible: {note}")
    infrared, visible = (to_gray(read.pixels) for read in reads)
    row: dict[str, Any] = {"name": pair.name}
    for name, measure in SPARSITY.items():
        row |= {f"{name} infrared": measure(infrared), f"{name} visible": measure(visible)}
    return row | {"JS": jensen_shannon_divergence(infrared, visible)}


def _compare(infrared: pd.Series, visible: pd.Series) -> dict[str, float]:
    return {
        "infrared": float(infrared.mean()),
        "visible": float(visible.mean()),
        "below": float((infrared < visible).mean()),
        "equal": float((infrared == visible).mean()),
        "above": float((infrared > visible).mean()),
    }


def _histogram(image: Gray) -> NDArray[np.float64]:
    return np.bincount(image.ravel(), minlength=256) / image.size


def _entropy(probabilities: NDArray[np.float64]) -> float:
    present = probabilities[probabilities > 0]
    return float(-(present * np.log2(present)).sum())
