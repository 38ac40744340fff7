"""Notes below the leaderboard: how scores were measured, absent classes, precomputed rows."""

import pytest

from pipelines.report.board import Board
from pipelines.report.notes import absent_classes, conditions, notes, precomputed_rows
from tests.pipelines.report.boards import detection, fusion, labeled, segmentation, two_rows


def detected(**rows):
    """method -> average precisions."""
    found = {name: detection({"ap50": values}) for name, values in rows.items()}
    return Board(list(rows), detection={"set": found})


def segmented(**rows):
    """method -> IoU of every seed."""
    found = {
        name: segmentation(*({"test": labeled(0.5, values)} for values in runs))
        for name, runs in rows.items()
    }
    return Board(list(rows), segmentation={"set": found})


def test_every_condition_is_told_once():
    assert conditions(two_rows()) == [
        "msrs: fusion metrics are means over 9 test images, protocol `cddfuse`, stretch off",
        "msrs: detection by d",
        "msrs: segmentation by s",
    ]


def test_a_selection_of_pairs_is_told():
    row = fusion({"SD": 1.0}).model_copy(
        update={"selection": "official, drawn by seed 0: 20 of 25"}
    )
    (sentence,) = conditions(Board(["a"], {"tno": {"a": row}}))
    assert "means over 3 test images (official, drawn by seed 0: 20 of 25), protocol" in sentence


def test_classes_without_an_object_are_named_once():
    values = {"Car": 0.5, "Bus": None, "Lamp": None}
    assert absent_classes(detected(a=values, b=values)) == [
        "set: the test images have no object of Bus, Lamp: no average precision, left out of mAP"
    ]


def test_a_class_that_only_some_rows_predicted_names_the_others():
    board = segmented(
        a=[{"car": 0.5, "bump": None, "curve": None}], b=[{"car": 0.5, "bump": 0.0, "curve": None}]
    )
    words = "neither occurs in the test images nor was predicted: no IoU, left out of mIoU"
    assert absent_classes(board) == [f"set: bump {words} (rows a)", f"set: curve {words}"]


def test_one_seed_without_a_value_is_enough():
    assert len(absent_classes(segmented(a=[{"bump": 0.0}, {"bump": None}]))) == 1


def test_nothing_is_said_where_every_class_has_a_value():
    assert absent_classes(detected(a={"Car": 0.0})) == []


@pytest.mark.parametrize("stretched", [False, True])
def test_precomputed_rows_say_whether_they_were_stretched_here(stretched):
    rows = {
        "average": fusion({"SD": 1.0}, images=1, ranges=[90.0], stretch=stretched),
        "theirs": fusion({"SD": 1.0}, ranges=[253.0, 254.0, 200.0], stretch=stretched),
    }
    board = Board(list(rows), {"msrs": rows, "tno": {"average": rows["average"]}})
    (note,) = precomputed_rows(board, ["theirs"])
    assert note.startswith("theirs: images fused elsewhere, ")
    assert ("stretched here like those of all rows" in note) == stretched
    assert ("as delivered, not stretched here; 2 of 3 on msrs span" in note) != stretched


def test_a_row_of_early_fusion_is_said_to_be_none():
    (note,) = [note for note in notes(two_rows(), [], ["both"]) if note.startswith("both: ")]
    assert "without fusing" in note
    assert "no fusion metrics" in note
