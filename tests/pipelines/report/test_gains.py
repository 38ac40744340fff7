"""Gains over the visible image: which rows, which numbers, which tests are compared."""

from dataclasses import replace

import numpy as np
import pytest

from detection.matches import average_precision
from pipelines.report.board import Board
from pipelines.report.bootstrap import compare, draw_images
from pipelines.report.gains import COLUMNS, task_differences
from pipelines.report.leaderboard import Leaderboard
from pipelines.report.markdown import to_markdown
from pipelines.report.resampling import map50, miou, resample
from segmentation.confusion import iou
from tests.pipelines.report.boards import (
    confusions,
    detection,
    fusion,
    random_matches,
    results,
    segmentation,
)

COUNTS = draw_images(40, 200)


def test_a_detector_that_is_better_is_told_from_an_equal_one():
    truth = np.random.default_rng(1).integers(0, 4, (40, 3))
    better, worse = (
        map50(random_matches(seed, 40, quality=quality, truth=truth), COUNTS)
        for seed, quality in ((1, 0.9), (2, 0.4))
    )
    found = compare(better, worse)
    assert 0 < found.low < found.difference < found.high
    assert found.p_value < 0.05
    mirrored = compare(worse, better)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))
    assert compare(better, better) == (0, 0, 0, 1)


def test_draws_without_an_object_have_no_map():
    truth = np.zeros((4, 1), int)
    truth[0] = 2
    counts = draw_images(4, 200)
    drawn = map50(random_matches(0, 4, 1, 0.9, truth), counts)
    np.testing.assert_array_equal(np.isnan(drawn), counts[:, 0] == 0)


def test_segmentation_is_one_matrix_over_each_draw():
    found, counts = confusions(3, 0.6, images=6), draw_images(6, 50)
    for value, count in zip(miou(found, counts), counts, strict=True):
        drawn = found.matrices[np.repeat(np.arange(6), count)]
        assert value == pytest.approx(np.nanmean(iou(drawn.sum(0))))


def test_a_draw_repeats_whole_images_and_whole_networks():
    """The first draws of two seeds, against average precision of images listed as often."""
    runs = [random_matches(seed, quality=0.7) for seed in (0, 1)]
    board = Board(["a"], detection={"m3fd": {"a": detection(*({"matches": r} for r in runs))}})
    found = resample(board, draws=5)["m3fd", "mAP@0.5"]
    counts = draw_images(12, 5)
    weights = np.random.default_rng([1, 0]).multinomial(2, [0.5, 0.5], size=5) / 2
    for draw in range(1, 6):
        each = [np.nanmean(average_precision(run, counts[draw][None])) for run in runs]
        expected = np.mean(each) + np.sqrt(2) * (weights[draw - 1] @ each - np.mean(each))
        assert found.scores["a"][draw] == pytest.approx(expected)


def test_fusion_metrics_are_of_the_same_drawn_images():
    values = [float(number) for number in range(12)]
    measured = fusion({"SD": values})
    stems = random_matches(0).stems
    images = measured.images.assign(name=stems)
    images.loc[3, "SD"] = np.nan
    board = Board(
        ["a"],
        fusion={"m3fd": {"a": measured.model_copy(update={"images": images})}},
        detection={"m3fd": {"a": detection()}},
    )
    found = resample(board, draws=4)["m3fd", "mAP@0.5"].metrics["SD"]["a"]
    for mean, count in zip(found, draw_images(12, 4), strict=True):
        drawn = [v for v, n in zip(values, count, strict=True) if v != 3 for _ in range(n)]
        assert mean == pytest.approx(np.mean(drawn))


def test_tests_on_other_images_are_not_compared():
    one, first = random_matches(0), confusions(0, 0.7)
    fewer = replace(first, matrices=first.matrices.copy())
    fewer.matrices[0, 0, 0] += 1
    for other in (
        random_matches(0, truth=np.ones((12, 3), int)),
        replace(one, stems=[f"x{index}" for index in range(12)]),
    ):
        with pytest.raises(ValueError, match="same images"):
            resample(Board(["a"], detection={"s": {"a": detection({}, {"matches": other})}}))
    for labels in (fewer, replace(first, stems=first.stems[::-1])):
        rows = {"a": segmentation({"confusions": first}), "b": segmentation({"confusions": labels})}
        with pytest.raises(ValueError, match="same images"):
            resample(Board(["a", "b"], segmentation={"s": rows}))


def gained(*seeds):
    """A board of three rows, one run for each seed; pomai is better, average is not."""
    shares = {"visible": 0.5, "average": 0.5, "pomai": 0.7}
    return Board(
        list(shares),
        segmentation={
            "msrs": {
                name: segmentation(*({"confusions": confusions(seed, share)} for seed in seeds))
                for name, share in shares.items()
            }
        },
    )


@pytest.mark.parametrize(
    ("seeds", "worth"),
    [((1,), "one seed: training noise not included"), ((1, 2, 3), "3 seeds")],
)
def test_gains_over_the_visible_image_with_intervals(seeds, worth):
    board = gained(*seeds)
    gains = task_differences(resample(board))
    assert list(gains.columns) == COLUMNS
    gains = gains.set_index("method")
    assert gains.loc["average", "difference"] == 0
    assert gains.loc["pomai", "low"] > 0.1
    assert set(gains["seeds"]) == {len(seeds)}
    text = to_markdown(results(Leaderboard({"visible": {}}), board), [], [])
    assert f"| method | msrs mIoU ({worth}) |" in text
    assert r"\*" in next(line for line in text.splitlines() if line.startswith("| pomai"))
    assert r"\*" not in next(line for line in text.splitlines() if line.startswith("| average"))


def test_training_noise_widens_intervals():
    """Networks of one method that differ a lot: two of them know less than one claims."""
    shares = {"visible": (0.5, 0.5), "pomai": (0.55, 0.85)}
    rows = {
        name: segmentation(*({"confusions": confusions(0, share)} for share in both))
        for name, both in shares.items()
    }
    ones = {name: {0: runs[1]} for name, runs in rows.items()}
    two, one = (
        task_differences(resample(Board(list(rows), segmentation={"s": found}))).iloc[0]
        for found in (rows, ones)
    )
    assert two["high"] - two["low"] > 3 * (one["high"] - one["low"])
    assert one["p"] < 0.05 < two["p"]


def test_without_the_visible_image_there_is_nothing_to_gain_on():
    rows = {"pomai": segmentation({"confusions": confusions(1, 0.5)})}
    assert task_differences(resample(Board(["pomai"], segmentation={"msrs": rows}))).empty
