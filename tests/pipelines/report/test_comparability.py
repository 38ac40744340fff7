"""Rows that were measured differently: what is said, and that the remedy makes them alike."""

import re

import pytest

from fusion.core.errors import InputError
from pipelines.report.board import Run
from pipelines.report.comparability import require_alike

NOW = {"settings": {"epochs": 16, "model": "yolov5n"}, "libraries": {"torch": "2.15"}}


def row(epochs=16, torch="2.15", split="a" * 64):
    settings = {"epochs": epochs, "model": "yolov5n"}
    return {"settings": settings, "libraries": {"torch": torch}, "data": {"split_sha256": split}}


def runs(rows):
    """Letters of runs -> their protocols: a, b, c are methods of seed 0, A, B, C of seed 1."""
    return {Run(name.lower(), int(name.isupper())): protocol for name, protocol in rows.items()}


def refusal(rows, present=dict):
    with pytest.raises(InputError) as error:
        require_alike("detect", "m3fd", runs(rows), present)
    return str(error.value)


def repeated(message):
    """The runs that the message's command repeats."""
    command = re.search(r"`dvc repro --force --single-item ([^`]*)`, then `dvc repro`", message)
    found = [re.fullmatch(r"detect@(.)-m3fd-(.)", target) for target in command[1].split()]
    return [target[1].upper() if target[2] == "1" else target[1] for target in found]


def test_rows_that_are_alike_pass_without_asking_what_is_now():
    def never():
        raise AssertionError

    require_alike("detect", "m3fd", runs({"a": row(), "b": row()}), never)
    require_alike("detect", "m3fd", {}, never)


def test_rows_fields_and_both_values_are_named():
    message = refusal({"a": row(), "b": row(epochs=20, torch="2.14"), "c": row()})
    assert message.startswith("detection on m3fd: was not measured alike")
    assert "b (seed 0) (unlike a (seed 0), c (seed 0)): settings.epochs is 20, not 16" in message
    assert "libraries.torch is 2.14, not 2.15" in message
    assert "model" not in message


def test_long_values_are_cut():
    assert "data.split_sha256 is bbbbbbbbbbbb…, not aaaaaaaaaaaa…" in refusal(
        {"a": row(), "b": row(split="b" * 64), "c": row()}
    )


@pytest.mark.parametrize(
    ("rows", "stale"),
    [
        # one was measured before an update: it runs again
        ({"a": row(), "b": row(), "c": row(torch="2.14")}, "c"),
        # so does one of its seeds
        ({"a": row(), "A": row(torch="2.14"), "b": row(), "B": row()}, "A"),
        # one was measured after an update: all others run again
        ({"a": row(torch="2.14"), "b": row(torch="2.14"), "c": row()}, "ab"),
        # nothing is as it would be now
        ({"a": row(epochs=1), "b": row(epochs=2)}, "ab"),
        # all are as they would be now, but of different splits
        ({"a": row(), "b": row(split="b")}, "ab"),
        ({"a": row(), "b": row(split="b"), "c": row(epochs=1)}, "abc"),
    ],
)
def test_the_rows_to_run_again_end_up_alike(rows, stale):
    again = repeated(refusal(rows, lambda: NOW))
    assert again == list(stale)
    require_alike("detect", "m3fd", runs(rows | {name: row() for name in again}))


def test_without_knowing_what_is_now_all_run_again():
    assert repeated(refusal({"a": row(), "b": row(epochs=1)})) == ["a", "b"]
