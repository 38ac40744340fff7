"""What the page computes by itself: ranks, matching of boxes, places in the table."""

from math import nan

import numpy as np
import pandas as pd
import pytest
import yaml

from fusion.core.code import ROOT
from pipelines.report.board import Board
from pipelines.report.costs import RowCost
from pipelines.report.page import overlays
from pipelines.report.page.cost_figures import cost_figures
from pipelines.report.page.gallery import choose
from pipelines.report.page.pipeline_page import printed_settings
from pipelines.report.page.ranks import mean_ranks
from pipelines.report.page.standings import short, standings
from pipelines.report.page.svg import Axis, dot, mark
from pipelines.report.tables import assess
from tests.pipelines.report import boards
from tests.pipelines.report.page.pages import HOSTILE, STEMS, board, costs, matches


def table(**columns):
    return pd.DataFrame({"name": ["a", "b", "c", "d"], **columns})


def test_ranks_count_both_directions_and_leave_undefined_metrics_out():
    images = {
        "good": table(SD=[4.0, 4, 4, 4], MSE=[1.0, 1, 1, 1], VIF=nan),
        "fair": table(SD=[3.0, 3, 3, 3], MSE=[2.0, 2, 2, 2], VIF=1.0),
        "poor": table(SD=[2.0, 2, 2, 2], MSE=[3.0, 3, 3, 3], VIF=2.0),
    }
    ranks = mean_ranks(images)
    assert ranks.means == {"good": 1, "fair": 2, "poor": 3}
    assert ranks.p == pytest.approx(0.0183, abs=1e-4)  # exp(-4): chi-square of 8, two degrees


def test_the_critical_difference_is_that_of_the_tables():
    """Demšar 2006, Table 5: q of 4 methods at 5 % is 2.569."""
    random = np.random.default_rng(0)
    images = {name: table(SD=random.random(4)) for name in "abcd"}
    assert mean_ranks(images).difference == pytest.approx(
        2.569 * (4 * 5 / (6 * 4)) ** 0.5, rel=1e-3
    )


def test_two_methods_have_no_ranks():
    assert mean_ranks({name: table(SD=[1.0, 2, 3, 4]) for name in "ab"}) is None


def test_each_cost_has_a_front_of_what_no_other_beats():
    ranks = {"cheap": 3.0, "good": 1.0, "beaten": 2.0, "bought": 4.0}
    costs = {
        "cheap": RowCost(0, 0.0, 1.0, "a CPU", 2),
        "good": RowCost(10, 5.0, 50.0, "a CPU", 2, minutes=9.0, trained_on="a GPU"),
        "beaten": RowCost(20_000, 6.0, 60.0, "a CPU", 2, minutes=8.0, trained_on="a GPU"),
        "bought": RowCost(note="fused elsewhere"),
    }
    scores = {name: boards.fusion({"MSE": [rank] * 20}) for name, rank in ranks.items()}
    results = assess(Board([*ranks], {"msrs": scores}), costs)
    found = mean_ranks({name: row.images for name, row in scores.items()})
    figures = {figure.title: figure for figure in cost_figures(results, {"msrs": found})}
    fronts = {
        title: figure.charts[0].partition("on the front: ")[2].partition('"')[0]
        for title, figure in figures.items()
    }
    assert fronts == {
        "Quality against time": "cheap, good",
        "Quality against operations": "good",
        "Quality against size": "good",
        "Quality against training": "good, beaten",
    }
    assert [figure.folded for figure in figures.values()] == [False, True, True, True]
    assert "beaten: 2.000, 20.0 k parameters<" in figures["Quality against size"].charts[0]
    assert figures["Quality against time"].caption.endswith("Measured on a CPU, 2 threads.")
    assert figures["Quality against training"].caption.endswith("Trained on a GPU.")


def test_a_hit_finds_one_object_and_the_others_are_missed():
    found = overlays.detected(matches(), STEMS[0])
    assert [(box.label, box.confidence, box.good) for box in found] == [
        (0, 90, True),
        (1, 40, False),
    ]
    truth = np.array([[11, 11, 31, 51], [12, 10, 30, 52], [80, 60, 110, 90]], float)
    assert overlays.missed(truth, [0, 0, 1], found) == [1, 2]


def test_unsure_detections_are_not_drawn():
    unsure = matches()
    unsure.confidence[:] = 0.25
    assert overlays.detected(unsure, STEMS[0]) == []


def test_errors_are_painted_where_the_classes_differ():
    truth = np.array([[0, 1], [2, 2]], np.uint8)
    painted = overlays.paint_errors(truth, np.array([[0, 2], [2, 0]], np.uint8))
    assert (painted[..., 3] > 0).tolist() == [[False, True], [False, True]]


def test_places_follow_the_direction_of_each_metric():
    shown = standings(assess(board(), costs()), ["visible", "average"])
    names = [(shown.groups[head.group], head.name, head.lower) for head in shown.heads]
    assert ("Fusion, msrs", "MSE", True) in names
    assert ("Tasks", "m3fd mAP@0.5", False) in names
    place = names.index(("Tasks", "m3fd mAP@0.5", False))
    assert [row.cells[place].rank for row in shown.rows] == [0, 2, 1]
    assert [row.cells[place].share for row in shown.rows] == [0, 0.5, 1]
    lower = names.index(("Fusion, msrs", "MSE", True))
    values = [row.cells[lower].value for row in shown.rows]
    assert [row.cells[lower].rank for row in shown.rows].index(1) == values.index(min(values))
    assert shown.bar[place] == "0.525 average"


def test_a_missing_cost_says_why():
    shown = standings(assess(board(), costs()), [])
    row = next(row for row in shown.rows if row.method == HOSTILE)
    cost = shown.groups.index("Cost")
    cells = [c for c, head in zip(row.cells, shown.heads, strict=True) if head.group == cost]
    assert [cell.text for cell in cells] == ["–"] * 4
    assert all(cell.detail.endswith("fused elsewhere") for cell in cells)


def test_the_choice_of_images_is_seeded_and_keeps_their_order():
    names = [f"{index:03}" for index in range(50)]
    chosen = choose(names, 8)
    assert chosen == sorted(chosen) == choose(names, 8)
    assert len(set(chosen)) == 8
    assert choose(names, None) == choose(names, 99) == names
    assert choose(names, 8, seed=1) != chosen


def test_ticks_are_round_and_inside():
    assert Axis("", 0.23, 0.91).ticks() == pytest.approx([0.4, 0.6, 0.8])
    assert Axis("", 3, 700, log=True).ticks() == [5, 10, 20, 50, 100, 200, 500]


@pytest.mark.parametrize(
    ("axis", "texts"),
    [
        (Axis("", 0.1, 1.1), ["0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Axis("", 2.18246, 2.18261), ["2.18250", "2.18255", "2.18260"]),
        (Axis("", 1, 2, whole=True), ["1", "2"]),
        (Axis("", 400, 6000, log=True), ["500", "1k", "2k", "5k"]),
        (Axis("", -0.12, 0.11), ["-0.10", "-0.05", "0.00", "0.05", "0.10"]),
    ],
)
def test_the_texts_of_ticks_tell_them_apart(axis, texts):
    assert [words for _, words in axis.labeled_ticks()] == texts


def test_the_marks_of_32_methods_differ():
    assert len({mark(index) for index in range(32)}) == 32
    drawn = {dot(0, 0, index) for index in range(32)}
    assert len(drawn) == 32


@pytest.mark.parametrize(("value", "text"), [(98_647_381, "98.6 M"), (0, "0"), (12_345, "12.3 k")])
def test_large_numbers_are_short(value, text):
    assert short(value) == text


def test_the_page_prints_the_settings_that_its_stage_tracks_and_no_others():
    params = ROOT / "params.yaml"
    printed = yaml.safe_load(printed_settings(params))
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["page"]
    tracked = [key for key in stage["params"] if not key.startswith("runtime.")]
    assert [*printed] == [*yaml.safe_load(params.read_text())]
    assert sorted(tracked) == sorted(printed.keys() - {"runtime"})
    runtime = [key for key in stage["params"] if key.startswith("runtime.")]
    assert sorted(runtime) == sorted(f"runtime.{key}" for key in printed["runtime"])
