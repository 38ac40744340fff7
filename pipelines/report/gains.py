"""Is a method better for the task than the visible image alone?"""

from collections.abc import Mapping

import pandas as pd

from pipelines.report.bootstrap import compare
from pipelines.report.leaderboard import Column
from pipelines.report.resampling import Resampled

REFERENCE = "visible"
COLUMNS = ["dataset", "score", "method", "seeds", "difference", "low", "high", "p"]


def worth_of(seeds: int) -> str:
    """What intervals over this number of training seeds are worth, in words."""
    return "one seed: training noise not included" if seeds == 1 else f"{seeds} seeds"


def task_differences(resampled: Mapping[Column, Resampled]) -> pd.DataFrame:
    """mAP@0.5 and mIoU of every method less the visible image's.

    Intervals are 95 % paired bootstraps over test images and training seeds. With one seed, they
    are about the choice of test images alone.

    Args:
        resampled: result of `pipelines.report.resampling.resample`.

    Returns:
        Columns dataset, score, method, seeds (their number), difference, low, high, p; no rows
        where `visible` is not among the methods.
    """
    rows = [
        (dataset, score, method, found.seeds, *compare(values, found.scores[REFERENCE]))
        for (dataset, score), found in resampled.items()
        if REFERENCE in found.scores
        for method, values in found.scores.items()
        if method != REFERENCE
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
