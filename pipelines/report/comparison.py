"""Is a difference between methods real, and does a metric predict what the images are for?"""

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau, wilcoxon

LEVEL = 0.05


def holm(probabilities: list[float]) -> list[float]:
    """Holm's step-down correction of p-values (Holm 1979), in the order given."""
    count = len(probabilities)
    order = np.argsort(probabilities, kind="stable")
    factors = np.arange(count, 0, -1)
    raised = np.maximum.accumulate(np.asarray(probabilities)[order] * factors).clip(max=1)
    adjusted = np.empty(count)
    adjusted[order] = raised
    return adjusted.tolist()


def signed_rank(first: pd.Series, second: pd.Series) -> float:
    """p-value of the paired Wilcoxon signed-rank test, two-sided; 1 where nothing differs.

    Pairs with an undefined value are left out.
    """
    difference = (first - second).dropna()
    if not len(difference) or (difference == 0).all():
        return 1.0
    return float(wilcoxon(difference, method="auto").pvalue)


def pairwise(values: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Every two methods on one metric: is their difference significant?

    Args:
        values: method → one value an image, the same images in the same order.

    Returns:
        Columns first, second, difference (mean of first less second), p, p_holm (corrected for
        all pairs of this table).
    """
    rows = [
        {
            "first": first,
            "second": second,
            "difference": (values[first] - values[second]).mean(),
            "p": signed_rank(values[first], values[second]),
        }
        for first, second in combinations(values, 2)
    ]
    table = pd.DataFrame(rows, columns=["first", "second", "difference", "p"])
    return table.assign(p_holm=holm(table["p"].tolist()))


class Agreement(NamedTuple):
    """Kendall's τ_b over methods, its p-value and the number of methods."""

    tau: float
    p: float
    methods: int


def rank_agreement(metric: pd.Series, target: pd.Series) -> Agreement:
    """Does a metric rank methods as a downstream score does?

    Both are indexed by method, higher is better; undefined values are left out. τ is NaN for fewer
    than three methods or where one of the two is constant.
    """
    both = pd.concat([metric, target], axis=1).dropna()
    if len(both) < 3:
        return Agreement(float("nan"), float("nan"), len(both))
    result = kendalltau(both.iloc[:, 0], both.iloc[:, 1])
    return Agreement(float(result.statistic), float(result.pvalue), len(both))


def rank_correlations(
    metric: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Kendall's τ_b of every column of two M×R arrays, M methods in R draws.

    Returns:
        R values; NaN where a value is undefined or one of the two is constant.
    """
    first, second = np.triu_indices(len(metric), 1)
    one, other = (np.sign(values[first] - values[second]) for values in (metric, target))
    pairs = np.sqrt((one**2).sum(0) * (other**2).sum(0))
    found: NDArray[np.float64] = np.full(pairs.shape, np.nan)
    np.divide((one * other).sum(0), pairs, out=found, where=pairs > 0)
    return found
