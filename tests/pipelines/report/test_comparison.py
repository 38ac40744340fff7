from math import isnan

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, wilcoxon

from pipelines.report.comparison import (
    holm,
    pairwise,
    rank_agreement,
    rank_correlations,
    signed_rank,
)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_signed_rank_is_paired_and_knows_no_difference():
    random = np.random.default_rng(0)
    images = pd.Series(random.normal(10, 5, 40))
    better = images + random.normal(0.5, 0.3, 40)
    assert signed_rank(better, images) < 1e-4, "small against the spread of images, but steady"
    assert signed_rank(images, images) == 1
    gap = images.copy()
    gap[3] = np.nan
    kept = better.drop(3) - images.drop(3)
    assert signed_rank(better, gap) == pytest.approx(wilcoxon(kept).pvalue)


def test_every_two_methods_are_compared_and_corrected_together():
    random = np.random.default_rng(1)
    base = pd.Series(random.normal(size=30))
    values = {"a": base, "b": base + 1, "c": base + random.normal(0, 1e-3, 30)}
    table = pairwise(values).set_index(["first", "second"])
    assert list(table.index) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table.loc[("a", "b"), "difference"] == pytest.approx(-1)
    assert (table["p_holm"] >= table["p"]).all()
    assert table.loc[("a", "b"), "p_holm"] < 0.05 < table.loc[("a", "c"), "p_holm"]


def test_rank_agreement_sees_order_only():
    metric = pd.Series({"a": 1.0, "b": 2.0, "c": 30.0, "d": 31.0})
    score = pd.Series({"d": 0.9, "c": 0.8, "b": 0.2, "a": 0.1})
    assert rank_agreement(metric, score).tau == pytest.approx(1)
    assert rank_agreement(-metric, score).tau == pytest.approx(-1)
    score["a"] = np.nan
    assert rank_agreement(metric, score).methods == 3
    score["b"] = np.nan
    assert isnan(rank_agreement(metric, score).tau), "two methods have no ranking to speak of"


def test_rank_correlations_are_those_of_scipy_for_every_draw():
    metric, target = np.random.default_rng(2).integers(0, 4, (2, 6, 50)).astype(float)
    metric[:, 0] = 1.0
    expected = [kendalltau(*columns).statistic for columns in zip(metric.T, target.T, strict=True)]
    np.testing.assert_allclose(rank_correlations(metric, target), expected)
    target[2, 1] = np.nan
    found = rank_correlations(metric, target)
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2:]).all()
