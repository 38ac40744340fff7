"""Gains over the visible image: which rows, which numbers, which tests are compared."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.report.board import Board
from pipelines.report.gains import map50_difference, miou_difference, task_differences
from pipelines.report.leaderboard import Leaderboard
from pipelines.report.markdown import to_markdown
from segmentation.confusion import iou
from tests.pipelines.report.boards import (
    confusions,
    detection,
    random_matches,
    results,
    segmentation,
)


def test_a_detector_that_is_better_is_told_from_an_equal_one():
    truth = np.random.default_rng(1).integers(0, 4, (40, 3))
    better = random_matches(1, 40, quality=0.9, truth=truth)
    worse = random_matches(2, 40, quality=0.4, truth=truth)
    found = map50_difference(better, worse, resamples=200)
    assert 0 < found.low < found.difference < found.high
    assert found.p_value < 0.05
    mirrored = map50_difference(worse, better, resamples=200)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))
    assert map50_difference(better, better, resamples=50) == (0, 0, 0, 1)


def test_draws_without_an_object_have_no_map():
    truth = np.zeros((4, 1), int)
    truth[0] = 2
    better, worse = (random_matches(0, 4, 1, quality, truth) for quality in (0.9, 0.3))
    found = map50_difference(better, worse, resamples=200)
    assert np.isfinite([found.low, found.high, found.p_value]).all()


def test_segmentation_differs_by_one_matrix_over_each_draw():
    first, second = confusions(3, 0.6, images=6), confusions(4, 0.5, images=6)
    counts = np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), size=200)
    drawn = []
    for count in counts:
        indices = np.repeat(np.arange(6), count)
        values = [np.nanmean(iou(one.matrices[indices].sum(0))) for one in (first, second)]
        drawn.append(values[0] - values[1])
    found = miou_difference(first, second, resamples=200)
    assert found.low == pytest.approx(np.quantile(drawn, 0.025))
    assert found.high == pytest.approx(np.quantile(drawn, 0.975))
    assert miou_difference(first, first, resamples=50) == (0, 0, 0, 1)


def test_tests_on_other_images_are_not_compared():
    one = random_matches(0)
    for other in (
        random_matches(0, truth=np.ones((12, 3), int)),
        replace(one, stems=[f"x{index}" for index in range(12)]),
    ):
        with pytest.raises(ValueError, match="same images"):
            map50_difference(one, other)
    first = confusions(0, 0.7)
    fewer = replace(first, matrices=first.matrices[:, :, ::-1].copy())
    fewer.matrices[0, 0, 0] += 1
    for other in (fewer, replace(first, stems=first.stems[::-1])):
        with pytest.raises(ValueError, match="same images"):
            miou_difference(first, other)


def test_gains_over_the_visible_image_with_intervals():
    shares = {"visible": 0.5, "average": 0.5, "pomai": 0.7}
    rows = {
        name: segmentation({"confusions": confusions(1, share)}) for name, share in shares.items()
    }
    board = Board(list(rows), segmentation={"msrs": rows})
    gains = task_differences(board).set_index("method")
    assert gains.loc["average", "difference"] == 0
    assert gains.loc["pomai", "low"] > 0.1
    text = to_markdown(results(Leaderboard({"visible": {}}), board), [], [])
    assert r"\*" in next(line for line in text.splitlines() if line.startswith("| pomai"))
    assert r"\*" not in next(line for line in text.splitlines() if line.startswith("| average"))


def test_every_seed_is_compared_with_the_same_seed():
    matches = {name: [random_matches(s + 5 * k) for s in (0, 1)] for k, name in enumerate("ab")}
    rows = {
        method: detection(*({"matches": found} for found in matches[name]))
        for method, name in (("visible", "a"), ("pomai", "b"))
    }
    gains = task_differences(Board(list(rows), detection={"m3fd": rows})).set_index("seed")
    for seed in (0, 1):
        expected = map50_difference(matches["b"][seed], matches["a"][seed])
        assert gains.loc[seed, "difference"] == expected.difference


def test_without_the_visible_image_there_is_nothing_to_gain_on():
    rows = {"pomai": segmentation({"confusions": confusions(1, 0.5)})}
    assert task_differences(Board(["pomai"], segmentation={"msrs": rows})).empty
