"""Notes below the leaderboard: absent classes by name, precomputed rows as they came."""

import json

import pytest

from pipelines.report.notes import absent_classes, precomputed_rows


def write(scores, stage, method, *runs):
    folder = scores / f"{stage}-{method}-set"
    folder.mkdir()
    key = {"detect": "ap50", "segment": "iou"}[stage]
    seeds = {str(seed): {key: values} for seed, values in enumerate(runs)}
    (folder / "scores.json").write_text(json.dumps({"seeds": seeds}))


def test_classes_without_an_object_are_named_once(tmp_path):
    for method in ("a", "b"):
        write(tmp_path, "detect", method, {"Car": 0.5, "Bus": None, "Lamp": None})
    assert absent_classes(tmp_path, ["a", "b"], ["set"], []) == [
        "set: the test images have no object of Bus, Lamp: no average precision, left out of mAP"
    ]


def test_a_class_that_only_some_rows_predicted_names_the_others(tmp_path):
    write(tmp_path, "segment", "a", {"car": 0.5, "bump": None, "curve": None})
    write(tmp_path, "segment", "b", {"car": 0.5, "bump": 0.0, "curve": None})
    words = "neither occurs in the test images nor was predicted: no IoU, left out of mIoU"
    assert absent_classes(tmp_path, ["a", "b"], [], ["set"]) == [
        f"set: bump {words} (rows a)",
        f"set: curve {words}",
    ]


def test_one_seed_without_a_value_is_enough(tmp_path):
    write(tmp_path, "segment", "a", {"bump": 0.0}, {"bump": None})
    assert len(absent_classes(tmp_path, ["a"], [], ["set"])) == 1


def test_nothing_is_said_where_every_class_has_a_value(tmp_path):
    write(tmp_path, "detect", "a", {"Car": 0.0})
    assert absent_classes(tmp_path, ["a"], ["set"], []) == []


@pytest.mark.parametrize("stretched", [False, True])
def test_precomputed_rows_say_whether_they_were_stretched_here(stretched):
    ranges = {"msrs": {"average": [90.0], "theirs": [253.0, 254.0, 200.0]}, "tno": {"average": []}}
    (note,) = precomputed_rows(ranges, ["theirs"], stretched)
    assert note.startswith("theirs: images fused elsewhere, ")
    assert ("stretched here like those of all rows" in note) == stretched
    assert ("as delivered, not stretched here; 2 of 3 on msrs span" in note) != stretched
