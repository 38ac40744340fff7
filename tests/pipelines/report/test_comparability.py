"""Rows that were measured differently: what is said, and that the remedy makes them alike."""

import re

import pytest

from fusion.core.errors import InputError
from pipelines.report.comparability import require_alike

NOW = {"settings": {"epochs": 16, "model": "yolov5n"}, "libraries": {"torch": "2.15"}}


def row(epochs=16, torch="2.15", split="a" * 64):
    settings = {"epochs": epochs, "model": "yolov5n"}
    return {"settings": settings, "libraries": {"torch": torch}, "data": {"split_sha256": split}}


def refusal(rows, present=dict):
    with pytest.raises(InputError) as error:
        require_alike("detect", "m3fd", rows, present)
    return str(error.value)


def repeated(message):
    """The rows that the message's command runs again."""
    command = re.search(r"`dvc repro --force --single-item ([^`]*)`, then `dvc repro`", message)
    return [re.fullmatch(r"detect@(.*)-m3fd", target)[1] for target in command[1].split()]


def test_rows_that_are_alike_pass_without_asking_what_is_now():
    def never():
        raise AssertionError

    require_alike("detect", "m3fd", {"a": row(), "b": row()}, never)
    require_alike("detect", "m3fd", {}, never)


def test_rows_fields_and_both_values_are_named():
    message = refusal({"a": row(), "b": row(epochs=20, torch="2.14"), "c": row()})
    assert message.startswith("detection on m3fd: was not measured alike")
    assert "b (unlike a, c): settings.epochs is 20, not 16, libraries.torch is 2.14, not" in message
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
    require_alike("detect", "m3fd", rows | {name: row() for name in again})


def test_without_knowing_what_is_now_all_run_again():
    assert repeated(refusal({"a": row(), "b": row(epochs=1)})) == ["a", "b"]
