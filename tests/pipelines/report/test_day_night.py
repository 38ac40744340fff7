"""Day and night apart: the table and its section of the leaderboard."""

import json
from math import isnan

import pandas as pd
import pytest

from pipelines.report.day_night import COLUMNS, day_night
from pipelines.report.gains import COLUMNS as GAINS
from pipelines.report.leaderboard import Leaderboard
from pipelines.report.markdown import to_markdown
from pipelines.report.significance import agreement


def write(folder, seeds):
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text(json.dumps({"seeds": seeds}))


def detected(people, cars):
    values = [value for value in (people, cars) if value is not None]
    return {
        "map50": sum(values) / len(values),
        "ap50": {"People": people, "Car": cars},
        "objects": {"People": 5, "Car": 0 if cars is None else 7},
        "images": 4,
    }


@pytest.fixture
def scores(tmp_path):
    for method, at_night in (("visible", 0.1), ("infrared", 0.7)):
        seeds = {
            str(seed): {"day": detected(0.5, None), "night": detected(at_night + seed / 10, 0.6)}
            for seed in (0, 1)
        }
        write(tmp_path / f"detect-{method}-m3fd", seeds)
        cones = {"miou": 0.3, "iou": {"cone": 0.3}, "pixels": {"cone": 90}, "images": 2}
        write(tmp_path / f"segment-{method}-msrs", {"0": {"day": cones, "night": None}})
        write(tmp_path / f"segment-{method}-other", {"0": {"day": None, "night": None}})
    return tmp_path


def table(scores):
    return day_night(scores, ["visible", "infrared"], ["m3fd"], ["msrs", "other"])


def test_classes_by_day_and_at_night_are_means_over_seeds(scores):
    found = table(scores)
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


def test_the_leaderboard_shows_their_means_side_by_side(scores):
    rows = Leaderboard({"visible": {}, "infrared": {}}, [])
    no_gains = pd.DataFrame(columns=GAINS)
    text = to_markdown(rows, {}, agreement(rows), no_gains, table(scores), [])
    assert "| method | m3fd mAP@0.5 day | m3fd mAP@0.5 night | msrs mIoU day |" in text
    assert "| infrared | **0.500** | **0.675** | **0.300** |" in text
    assert "| visible | **0.500** | 0.375 | **0.300** |" in text


def test_without_day_and_night_there_is_no_section(scores):
    rows = Leaderboard({"visible": {}}, [])
    found = day_night(scores, ["visible"], [], ["other"])
    text = to_markdown(rows, {}, agreement(rows), pd.DataFrame(columns=GAINS), found, [])
    assert "night" not in text
