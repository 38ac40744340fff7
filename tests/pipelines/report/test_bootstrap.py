"""Bootstrap over images and seeds: against loops over draws, and as often right as it says."""

import numpy as np
import pytest

from pipelines.report.bootstrap import compare, draw_images, draw_seeds, interval, over_seeds


def test_images_are_drawn_with_replacement():
    counts = draw_images(6, 300, seed=7)
    assert (counts[0] == 1).all(), "the first is the images as they are"
    expected = np.random.default_rng(7).multinomial(6, np.full(6, 1 / 6), size=300)
    np.testing.assert_array_equal(counts[1:], expected)


def test_a_difference_equals_a_loop_over_draws():
    first, second = np.random.default_rng(3).random((2, 6))
    counts = draw_images(6, 200)
    drawn = [np.repeat(first - second, count).mean() for count in counts[1:]]
    found = compare(counts @ first / 6, counts @ second / 6, confidence=0.9)
    assert found.difference == pytest.approx(first.mean() - second.mean())
    assert found.low == pytest.approx(np.quantile(drawn, 0.05))
    assert found.high == pytest.approx(np.quantile(drawn, 0.95))
    beyond = min(np.sum(np.array(drawn) <= 0), np.sum(np.array(drawn) >= 0))
    assert found.p_value == pytest.approx(2 * (beyond + 1) / 201)


def test_draws_without_a_value_are_left_out():
    values = np.array([7.0, np.nan, 1.0, 2.0, 3.0, np.nan])
    assert interval(values) == pytest.approx(np.quantile([1, 2, 3], [0.025, 0.975]))
    assert compare(values, np.zeros(6)).p_value == 2 * 1 / 4
    assert np.isnan(interval(np.full(4, np.nan))).all()


def test_seeds_are_drawn_and_averaged_as_in_a_loop():
    """One seed's network after another, each drawn as a whole with its draw of images."""
    values = np.random.default_rng(0).random((101, 3))
    found = over_seeds(values, np.random.default_rng(5))
    assert found[0] == pytest.approx(values[0].mean())
    times = np.random.default_rng(5).multinomial(3, np.full(3, 1 / 3), size=100)
    for draw, (row, count) in enumerate(zip(values[1:], times, strict=True), 1):
        drawn = np.repeat(row, count)
        widened = row.mean() + np.sqrt(3 / 2) * (drawn.mean() - row.mean())
        assert found[draw] == pytest.approx(widened)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_drawn_seeds_vary_as_much_as_new_ones(seeds):
    """The spread of the mean of S seeds, of which S are known, is their sd / sqrt(S)."""
    known = np.random.default_rng(1).normal(size=seeds)
    means = draw_seeds(seeds, 20_000, np.random.default_rng(2))[1:] @ known
    assert means.std() == pytest.approx(known.std(ddof=1) / np.sqrt(seeds), rel=0.03)


def test_one_seed_has_no_spread():
    values = np.random.default_rng(0).random((9, 1))
    np.testing.assert_array_equal(over_seeds(values, np.random.default_rng(0)), values[:, 0])


def covered(seeds, trials=300, images=40):
    """How often 95 % intervals contain the true difference, 0, of two methods.

    Seeds and images both vary; of a method's error, seeds are about half.
    """
    hits = 0
    for trial in range(trials):
        rng = np.random.default_rng([seeds, trial])
        counts = draw_images(images, 300, trial) / images
        both = []
        for _ in range(2):
            networks = rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 1, images)
            values = networks + rng.normal(0, 1, (seeds, images))
            both.append(over_seeds(counts @ values.T, rng))
        found = compare(*both)
        hits += found.low <= 0 <= found.high
    return hits / trials


@pytest.mark.slow
def test_intervals_over_seeds_and_images_cover_the_truth_about_as_often_as_they_say():
    assert covered(1) < 0.85, "one seed: training noise is not included"
    assert 0.88 <= covered(2) <= 1
    assert 0.91 <= covered(5) <= 0.99


def test_no_finite_number_of_draws_proves_a_difference():
    difference = compare(np.arange(1.0, 101.0), np.zeros(100))
    assert difference.low > 0
    assert difference.p_value == pytest.approx(2 / 100)
