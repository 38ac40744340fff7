"""Paired bootstrap: against a loop over draws, and as often right as it says."""

import numpy as np
import pytest

from pipelines.report.bootstrap import compare


def mean_of(values):
    return lambda counts: counts @ values / counts.sum(1)


def test_it_equals_a_loop_over_draws():
    first, second = np.random.default_rng(3).random((2, 6))
    counts = np.random.default_rng(7).multinomial(6, np.full(6, 1 / 6), size=200)
    drawn = [
        np.mean(np.repeat(first, count)) - np.mean(np.repeat(second, count)) for count in counts
    ]
    found = compare(mean_of(first), mean_of(second), 6, 200, confidence=0.9, seed=7)
    assert found.difference == pytest.approx(first.mean() - second.mean())
    assert found.low == pytest.approx(np.quantile(drawn, 0.05))
    assert found.high == pytest.approx(np.quantile(drawn, 0.95))
    below, above = np.mean(np.array(drawn) <= 0), np.mean(np.array(drawn) >= 0)
    assert found.p_value == pytest.approx(2 * min(below, above))


def test_draws_without_a_value_are_left_out():
    values = np.array([1.0, 2.0, 4.0])

    def with_first(counts):
        return np.where(counts[:, 0] > 0, counts @ values / 3, np.nan)

    found = compare(with_first, lambda counts: np.zeros(len(counts)), 3, 300)
    counts = np.random.default_rng(0).multinomial(3, np.full(3, 1 / 3), size=300)
    kept = counts[counts[:, 0] > 0]
    assert 0 < len(kept) < 300
    assert found.low == pytest.approx(np.quantile(kept @ values / 3, 0.025))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Two methods of the same quality: zero is in nine of ten 90 % intervals, roughly."""
    covered = 0
    for trial in range(40):
        one, other = np.random.default_rng(trial).normal(size=(2, 60))
        found = compare(mean_of(one), mean_of(other), 60, 200, confidence=0.9, seed=trial)
        covered += found.low <= 0 <= found.high
    assert 30 <= covered <= 40
