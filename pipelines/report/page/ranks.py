"""Mean ranks of methods over test images, and the difference that counts as real."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, studentized_range

from fusion.metrics.names import LOWER_IS_BETTER
from fusion.metrics.summary import RANGE

LEVEL = 0.05


@dataclass(frozen=True)
class Ranks:
    """Ranks of K methods on N images.

    means: method -> mean rank, 1 the best.
    p: of Friedman's test that all methods rank alike.
    difference: the critical difference of Nemenyi's test at `LEVEL`.
    """

    means: Mapping[str, float]
    p: float
    difference: float


def mean_ranks(images: Mapping[str, pd.DataFrame]) -> Ranks | None:
    """Rank the methods on every image, by the mean of their ranks over the metrics there.

    Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 2006; the test
    images stand for the data sets.

    Args:
        images: method -> a row an image, a column a metric, and `name`.

    Returns:
        None for fewer than three methods or two images. Metrics that are undefined somewhere on an
        image are left out of that image.
    """
    if len(images) < 3:
        return None
    tables = {method: table.set_index("name") for method, table in images.items()}
    metrics = [str(name) for name in next(iter(tables.values())).columns if name != RANGE]
    by_metric = []
    for metric in metrics:
        values = pd.DataFrame({method: table[metric] for method, table in tables.items()}).dropna()
        by_metric.append(values.rank(axis=1, ascending=metric in LOWER_IS_BETTER))
    over_metrics = pd.concat(by_metric).groupby(level=0).mean()
    ranks = over_metrics.rank(axis=1)
    if len(ranks) < 2:
        return None
    test = friedmanchisquare(*(ranks[method] for method in ranks))
    methods, count = ranks.shape[1], len(ranks)
    quantile = studentized_range.ppf(1 - LEVEL, methods, np.inf) / np.sqrt(2)
    difference = quantile * np.sqrt(methods * (methods + 1) / (6 * count))
    return Ranks(
        {str(name): float(rank) for name, rank in ranks.mean().items()},
        float(test.pvalue),
        float(difference),
    )
