import io
import json
import os
import subprocess
import sys
from math import isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fusion.core.errors import InputError
from pipelines.report import day_night
from pipelines.report.gains import COLUMNS, task_differences
from pipelines.report.leaderboard import Leaderboard, collect
from pipelines.report.markdown import to_markdown
from pipelines.report.significance import agreement, as_good_as_best, significance
from pipelines.stages.report import write_board

NO_GAINS = pd.DataFrame(columns=COLUMNS)
NO_PARTS = pd.DataFrame(columns=day_night.COLUMNS)
NO_ROWS = Leaderboard({"visible": {}}, [])


def write(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))


@pytest.fixture
def scores(tmp_path):
    for method, value in (("average", 1.0), ("pomai", 2.0)):
        metrics = {"SD": {"mean": 10 * value}, "VIF": {"mean": None}}
        summary = {"protocol": "cddfuse", "images": 3, "stretch": False, "metrics": metrics}
        summary["stretching"] = {"SD": value / 10}
        folder = tmp_path / f"evaluate-{method}-msrs"
        write(folder, "summary.json", summary)
        (folder / "images.csv").write_text(
            "name,SD,VIF,range\n" + "".join(f"0{i},{10 * value + i},,200\n" for i in range(9))
        )
        detection = {
            "map50": value / 4,
            "map50_95": value / 8,
            "map50_sd": None,
            "map50_95_sd": 0.034,
            "conditions": "d",
            "protocol": {"precision": "p"},
        }
        write(tmp_path / f"detect-{method}-msrs", "scores.json", detection)
        segmentation = {
            "miou": value / 5,
            "miou_sd": 0.012,
            "conditions": "s",
            "protocol": {"precision": "q"},
        }
        write(tmp_path / f"segment-{method}-msrs", "scores.json", segmentation)
    return tmp_path


def board(scores, methods=("average", "pomai")):
    return collect(scores, methods, ["msrs"], ["msrs"], ["msrs"])


def test_results_are_utf_8_wherever_they_are_written(scores, tmp_path, monkeypatch):
    plain = Path.write_text
    monkeypatch.setattr(  # a machine whose own encoding has no arrows
        Path, "write_text", lambda path, text, encoding="cp1252": plain(path, text, encoding)
    )
    write_board(tmp_path / "results", board(scores), "lower is better ↓")
    written = (tmp_path / "results/leaderboard.md").read_bytes()
    assert written.decode() == "lower is better ↓"


def test_a_stage_prints_where_there_are_no_arrows():
    script = "from pipelines.entry import run; run(lambda: print('SD ↓'))"
    command = [sys.executable, "-c", script]
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    assert subprocess.run(command, env=environment, capture_output=True).stdout == b"SD ?\n"


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
    text = to_markdown(result, {}, agreement(result), NO_GAINS, NO_PARTS, ["average"])
    assert "| pomai | **20.00** | – |" in text
    assert "| *best trivial baseline* | 10.00 average | – |" in text
    assert "| pomai | **0.500** | **0.250** ± 0.034 | **0.400** ± 0.012 |" in text
    assert "| pomai | +20% |" in text
    assert "protocol `cddfuse`, stretch off" in text
    assert len(result.to_long()) == 10


def test_undefined_is_never_the_best():
    rows = {"a": {("s", "SD"): nan}, "b": {("s", "SD"): -1.0}}
    board = Leaderboard(rows, [])
    assert board.best(("s", "SD")) == "b"
    assert board.best(("s", "SD"), ["a"]) is None
    assert "| b | **-1.000** |" in to_markdown(board, {}, agreement(board), NO_GAINS, NO_PARTS, [])


def test_lower_is_better_where_a_metric_says_so():
    rows = {"a": {("s", "MSE"): 5.0}, "b": {("s", "MSE"): 4.0}}
    board = Leaderboard(rows, [])
    text = to_markdown(board, {}, agreement(board), NO_GAINS, NO_PARTS, [])
    assert "MSE ↓" in text
    assert "| b | **4.000** |" in text


def images(seed, shift, noise):
    random = np.random.default_rng(seed)
    scenes = np.random.default_rng(0).normal(20, 8, 40)
    return pd.Series(scenes + shift + random.normal(0, noise, 40))


def test_differences_that_are_not_significant_are_marked():
    column = ("s", "SD")
    values = {"a": images(1, 1, 0.5), "b": images(2, 1, 0.5), "c": images(3, 0, 0.5)}
    rows = {name: {column: float(series.mean())} for name, series in values.items()}
    board = Leaderboard(rows, [], {column: values})
    tests = significance(board)
    assert set(tests["dataset"]) == {"s"}
    ties = as_good_as_best(board, tests)
    best = board.best(column)
    assert ties == {column: {"a", "b"} - {best}}
    text = to_markdown(board, ties, agreement(board), NO_GAINS, NO_PARTS, [])
    assert text.count(" ≈ |") == 1
    (marked,) = (line for line in text.splitlines() if line.endswith("≈ |"))
    assert marked.startswith(f"| {'a' if best == 'b' else 'b'} |")


def test_agreement_with_the_task_counts_lower_is_better_downwards():
    rows = {
        name: {("s", "SD"): value, ("s", "MSE"): value, ("s", "mAP@0.5"): value}
        for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))
    }
    table = agreement(Leaderboard(rows, [])).set_index("metric")
    assert table.loc["SD", "tau"] == pytest.approx(1)
    assert table.loc["MSE", "tau"] == pytest.approx(-1)
    assert table.loc["SD", "methods"] == 3


@pytest.mark.parametrize("stage", ["detect", "segment"])
def test_rows_of_different_protocols_are_refused(scores, stage):
    path = scores / f"{stage}-pomai-msrs" / "scores.json"
    other = {"protocol": {"precision": "other"}}
    path.write_text(json.dumps(json.loads(path.read_text()) | other))
    with pytest.raises(InputError, match=r"precision is .*--single-item " + stage):
        board(scores)


def test_rows_of_different_stretch_are_refused(scores):
    path = scores / "evaluate-pomai-msrs" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stretch": True}))
    with pytest.raises(InputError, match=r"fusion metrics on msrs: .*stretch is (true|false)"):
        board(scores)


def test_a_missing_score_is_named(scores):
    with pytest.raises(InputError, match=r"evaluate-maximum-msrs.*is missing"):
        board(scores, ["maximum"])


def confusions(path, seed, correct):
    """Per-image confusion matrices of 12 images with a share of pixels labelled right."""
    random = np.random.default_rng(seed)
    matrices = np.zeros((12, 9, 9), np.int64)
    for image in matrices:
        right = random.binomial(100, correct, 9)
        image[np.arange(9), np.arange(9)] = right
        image[np.arange(9), (np.arange(9) + 1) % 9] = 100 - right
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, per_image=matrices)


def test_gains_over_the_visible_image_with_intervals(tmp_path):
    for method, share in (("visible", 0.5), ("average", 0.5), ("pomai", 0.7)):
        confusions(tmp_path / f"segment-{method}-msrs" / "per-image-0.npz", 1, share)
    gains = task_differences(tmp_path, ["visible", "average", "pomai"], [], ["msrs"])
    by_method = gains.set_index("method")
    assert by_method.loc["average", "difference"] == 0
    assert by_method.loc["pomai", "low"] > 0.1
    text = to_markdown(
        Leaderboard({"visible": {}}, []), {}, agreement(NO_ROWS), gains, NO_PARTS, []
    )
    assert r"\*" in next(line for line in text.splitlines() if line.startswith("| pomai"))
    assert r"\*" not in next(line for line in text.splitlines() if line.startswith("| average"))


def test_without_the_visible_image_there_is_nothing_to_gain_on(tmp_path):
    assert task_differences(tmp_path, ["pomai"], ["m3fd"], ["msrs"]).empty


def only_on_msrs(scores, method):
    """A second data set on which one method has no images."""
    for name in ("average", "pomai"):
        for file in ("summary.json", "images.csv"):
            content = (scores / f"evaluate-{name}-msrs" / file).read_text()
            folder = scores / f"evaluate-{name}-tno"
            folder.mkdir(exist_ok=True)
            (folder / file).write_text(content)
    (scores / f"evaluate-{method}-tno" / "summary.json").unlink()
    (scores / f"evaluate-{method}-tno" / "images.csv").unlink()
    present = lambda row, dataset: (row, dataset) != (method, "tno")  # noqa: E731
    return collect(scores, ("average", "pomai"), ["tno", "msrs"], ["msrs"], ["msrs"], present)


@pytest.mark.parametrize("method", ["average", "pomai"])
def test_a_row_without_a_data_set_is_undefined_there_and_nowhere_else(scores, method):
    """Whether the row comes first or last, columns keep their order."""
    result = only_on_msrs(scores, method)
    other = {"average": "pomai", "pomai": "average"}[method]
    fusion = [(dataset, name) for dataset in ("tno", "msrs") for name in ("SD", "VIF")]
    tasks = [("msrs", name) for name in ("mAP@0.5", "mAP@0.5:0.95", "mIoU")]
    assert result.columns == fusion + tasks
    assert all(list(row) == result.columns for row in result.rows.values())
    undefined = {column for column, value in result.rows[method].items() if isnan(value)}
    assert undefined == {("tno", "SD"), ("tno", "VIF"), ("msrs", "VIF")}
    assert result.rows[other]["tno", "SD"] == result.rows[other]["msrs", "SD"]
    assert "tno" not in result.to_metrics()[method]
    assert result.best(("tno", "SD")) == other
    shown = pd.read_csv(io.StringIO(result.to_csv()), index_col="method")
    assert shown.loc[method].isna().sum() == 3


def test_comparisons_leave_a_row_without_the_data_set_out(scores):
    result = only_on_msrs(scores, "pomai")
    tests = significance(result)
    assert set(tests.loc[tests["metric"] == "SD", "dataset"]) == {"msrs"}
    ties = as_good_as_best(result, tests)
    assert ties["tno", "SD"] == frozenset()
    ranks = agreement(result).set_index(["dataset", "metric", "score"])
    assert set(ranks.index.get_level_values("dataset")) == {"msrs"}
    text = to_markdown(result, ties, agreement(result), NO_GAINS, NO_PARTS, ["average"])
    assert "| average | **10.00** | – |" in text
    assert "| pomai | – | – |" in text
    stretching = text.partition("would alone add**")[2].splitlines()
    assert (
        "| method | msrs SD | tno SD |" in stretching
        or "| method | tno SD | msrs SD |" in stretching
    )
    (row,) = (line for line in stretching if line.startswith("| pomai |"))
    assert "–" in row
    assert "+20%" in row


def test_a_missing_score_is_an_error_unless_the_row_never_has_the_data_set(scores):
    (scores / "evaluate-pomai-msrs" / "summary.json").unlink()
    with pytest.raises(InputError, match=r"evaluate-pomai-msrs.*is missing"):
        board(scores)
