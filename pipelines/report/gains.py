"""Is a method better for the task than the visible image alone? Resampled test images."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from detection import bootstrap as detection_bootstrap
from detection.matches import Matches
from segmentation import bootstrap as segmentation_bootstrap

REFERENCE = "visible"
COLUMNS = ["dataset", "score", "method", "seed", "difference", "low", "high", "p"]


def task_differences(
    scores: Path, methods: Collection[str], detect_on: Sequence[str], segment_on: Sequence[str]
) -> pd.DataFrame:
    """mAP@0.5 and mIoU of every method less the visible image's, seed by seed.

    Intervals are 95 % paired bootstraps over the test images; they say nothing about training
    seeds, which is why several seeds have several rows.

    Returns:
        Columns dataset, score, method, seed, difference, low, high, p; no rows where `visible` is
        not among the methods.
    """
    others = [method for method in methods if method != REFERENCE]
    rows = []
    if REFERENCE in methods:
        for dataset in detect_on:
            rows += [_detection(scores, method, dataset) for method in others]
        for dataset in segment_on:
            rows += [_segmentation(scores, method, dataset) for method in others]
    return pd.DataFrame([row for group in rows for row in group], columns=COLUMNS)


def _detection(scores: Path, method: str, dataset: str) -> list[dict[str, object]]:
    rows = []
    for path in sorted((scores / f"detect-{method}-{dataset}").glob("matches-*.npz")):
        reference = Matches.load(scores / f"detect-{REFERENCE}-{dataset}" / path.name)
        found = detection_bootstrap.compare(Matches.load(path), reference)
        rows.append(_row(dataset, "mAP@0.5", method, path, found))
    return rows


def _segmentation(scores: Path, method: str, dataset: str) -> list[dict[str, object]]:
    rows = []
    for path in sorted((scores / f"segment-{method}-{dataset}").glob("per-image-*.npz")):
        reference = scores / f"segment-{REFERENCE}-{dataset}" / path.name
        matrices = [np.load(file, allow_pickle=False)["per_image"] for file in (path, reference)]
        found = segmentation_bootstrap.compare(*matrices)
        rows.append(_row(dataset, "mIoU", method, path, found))
    return rows


def _row(
    dataset: str,
    score: str,
    method: str,
    path: Path,
    found: detection_bootstrap.Difference | segmentation_bootstrap.Difference,
) -> dict[str, object]:
    return {
        "dataset": dataset,
        "score": score,
        "method": method,
        "seed": int(path.stem.rpartition("-")[2]),
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p_value,
    }
