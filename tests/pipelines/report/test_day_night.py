"""Day and night apart: the table and its section of the leaderboard."""

from math import isnan

import pytest

from pipelines.report.board import Board
from pipelines.report.day_night import COLUMNS, day_night
from pipelines.report.leaderboard import Leaderboard
from pipelines.report.markdown import to_markdown
from tests.pipelines.report.boards import detection, labeled, part, results, segmentation


def detected(people, cars):
    values = [value for value in (people, cars) if value is not None]
    amounts = {"People": 5, "Car": 0 if cars is None else 7}
    return part(sum(values) / len(values), {"People": people, "Car": cars}, amounts, 4)


@pytest.fixture
def board():
    at_night = {"visible": 0.1, "infrared": 0.7}
    runs = {
        name: [
            {"day": detected(0.5, None), "night": detected(value + seed / 10, 0.6)}
            for seed in (0, 1)
        ]
        for name, value in at_night.items()
    }
    cones = {"day": labeled(0.3, {"cone": 0.3}, {"cone": 90})}
    return Board(
        list(at_night),
        detection={"m3fd": {name: detection(*found) for name, found in runs.items()}},
        segmentation={
            "msrs": {name: segmentation(cones) for name in at_night},
            "other": {name: segmentation() for name in at_night},
        },
    )


def test_classes_by_day_and_at_night_are_means_over_seeds(board):
    found = day_night(board)
    assert list(found.columns) == COLUMNS
    people = found[(found["class"] == "People") & (found["subset"] == "night")]
    assert people["method"].tolist() == ["visible", "infrared"]
    assert people["value"].tolist() == pytest.approx([0.15, 0.75])
    assert set(people["seeds"]) == {2}
    assert set(people["amount"]) == {5}
    by_day = found[(found["class"] == "Car") & (found["subset"] == "day")]
    assert all(isnan(value) for value in by_day["value"])
    assert set(found["dataset"]) == {"m3fd", "msrs"}, "where day and night are not known, no rows"
    assert set(found.loc[found["dataset"] == "msrs", "subset"]) == {"day"}


def test_the_leaderboard_shows_their_means_side_by_side(board):
    table = Leaderboard({"visible": {}, "infrared": {}})
    text = to_markdown(results(table, board), [], [])
    assert "| method | m3fd mAP@0.5 day | m3fd mAP@0.5 night | msrs mIoU day |" in text
    assert "| infrared | **0.500** | **0.675** | **0.300** |" in text
    assert "| visible | **0.500** | 0.375 | **0.300** |" in text


def test_without_day_and_night_there_is_no_section():
    board = Board(["visible"], segmentation={"other": {"visible": segmentation()}})
    assert "night" not in to_markdown(results(Leaderboard({"visible": {}}), board), [], [])
