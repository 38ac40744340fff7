import json
from math import nan

import pytest

from fusion.images import InputError
from pipelines.leaderboard import Leaderboard, collect


def write(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))


@pytest.fixture
def scores(tmp_path):
    for method, value in (("average", 1.0), ("pomai", 2.0)):
        metrics = {"SD": {"mean": 10 * value}, "VIF": {"mean": None}}
        summary = {"protocol": "cddfuse", "images": 3, "stretch": False, "metrics": metrics}
        write(tmp_path / f"evaluate-{method}-msrs", "summary.json", summary)
        detection = {
            "map50": value / 4,
            "map50_95": value / 8,
            "conditions": "d",
            "protocol": ["p"],
        }
        write(tmp_path / f"detect-{method}-msrs", "scores.json", detection)
        segmentation = {"miou": value / 5, "conditions": "s", "protocol": ["q"]}
        write(tmp_path / f"segment-{method}-msrs", "scores.json", segmentation)
    return tmp_path


def board(scores, methods=("average", "pomai")):
    return collect(scores, methods, ["msrs"], ["msrs"], ["msrs"])


def test_every_form_has_the_same_numbers(scores):
    result = board(scores)
    assert result.to_metrics() == {
        "average": {"msrs": {"SD": 10, "mAP@0.5": 0.25, "mAP@0.5:0.95": 0.125, "mIoU": 0.2}},
        "pomai": {"msrs": {"SD": 20, "mAP@0.5": 0.5, "mAP@0.5:0.95": 0.25, "mIoU": 0.4}},
    }
    assert result.to_csv().splitlines() == [
        "method,msrs SD,msrs VIF,msrs mAP@0.5,msrs mAP@0.5:0.95,msrs mIoU",
        "average,10,,0.25,0.125,0.2",
        "pomai,20,,0.5,0.25,0.4",
    ]
    assert "| pomai | **20.00** | – | **0.500** | **0.250** | **0.400** |" in result.to_markdown()
    assert len(result.to_long()) == 10


def test_undefined_is_never_the_best():
    rows = {"a": {("s", "SD"): nan}, "b": {("s", "SD"): -1.0}}
    assert "| b | **-1.000** |" in Leaderboard(rows, []).to_markdown()


@pytest.mark.parametrize("stage", ["detect", "segment"])
def test_rows_of_different_protocols_are_refused(scores, stage):
    path = scores / f"{stage}-pomai-msrs" / "scores.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"protocol": ["other"]}))
    with pytest.raises(InputError, match="not measured alike"):
        board(scores)


def test_rows_of_different_stretch_are_refused(scores):
    path = scores / "evaluate-pomai-msrs" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stretch": True}))
    with pytest.raises(InputError, match="not measured alike"):
        board(scores)


def test_a_missing_score_is_named(scores):
    with pytest.raises(InputError, match=r"evaluate-maximum-msrs.*is missing"):
        board(scores, ["maximum"])
