"""The leaderboard: its numbers in every form, and what its marks mean."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fusion.core.errors import InputError
from pipelines.report.board import Board, read_board
from pipelines.report.comparability import require_comparable
from pipelines.report.leaderboard import Leaderboard, leaderboard
from pipelines.report.markdown import to_markdown
from pipelines.report.notes import conditions
from pipelines.report.significance import agreement, as_good_as_best, significance
from pipelines.report.tables import assess, read_results, write_results
from pipelines.scores.base import score_folder
from tests.pipelines.report.boards import (
    confusions,
    detection,
    fusion,
    labeled,
    results,
    segmentation,
    two_rows,
)


def test_results_are_utf_8_wherever_they_are_written(tmp_path, monkeypatch):
    plain = Path.write_text
    monkeypatch.setattr(  # a machine whose own encoding has no arrows
        Path, "write_text", lambda path, text, encoding="cp1252": plain(path, text, encoding)
    )
    write_results(tmp_path / "results", assess(two_rows()), "lower is better ↓")
    written = (tmp_path / "results/leaderboard.md").read_bytes()
    assert written.decode() == "lower is better ↓"


def test_a_stage_prints_where_there_are_no_arrows():
    script = "from pipelines.entry import guard; guard(lambda: print('SD ↓'))"
    command = [sys.executable, "-c", script]
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    assert subprocess.run(command, env=environment, capture_output=True).stdout == b"SD ?\n"


def test_every_form_has_the_same_numbers():
    found = assess(two_rows())
    table = found.table
    assert table.to_metrics() == {
        "average": {"msrs": {"SD": 10, "mAP@0.5": 0.25, "mAP@0.5:0.95": 0.125, "mIoU": 0.2}},
        "pomai": {"msrs": {"SD": 20, "mAP@0.5": 0.5, "mAP@0.5:0.95": 0.25, "mIoU": 0.4}},
    }
    assert table.to_csv().splitlines() == [
        "method,msrs SD,msrs VIF,msrs mAP@0.5,msrs mAP@0.5:0.95,msrs mIoU",
        "average,10,,0.25,0.125,0.2",
        "pomai,20,,0.5,0.25,0.4",
    ]
    text = to_markdown(found, ["average"], conditions(found.board))
    assert "| pomai | **20.00** | – |" in text
    assert "| *best trivial baseline* | 10.00 average | – |" in text
    assert "| pomai | **0.500** ± 0.000 | **0.250** ± 0.034 | **0.400** ± 0.017 |" in text
    assert "| pomai | +20% |" in text
    assert "protocol `cddfuse`, stretch off" in text
    assert len(table.to_long()) == 10


def test_undefined_is_never_the_best():
    table = Leaderboard({"a": {("s", "SD"): nan}, "b": {("s", "SD"): -1.0}})
    assert table.best(("s", "SD")) == "b"
    assert table.best(("s", "SD"), ["a"]) is None
    assert "| b | **-1.000** |" in to_markdown(results(table), [], [])


def test_lower_is_better_where_a_metric_says_so():
    table = Leaderboard({"a": {("s", "MSE"): 5.0}, "b": {("s", "MSE"): 4.0}})
    text = to_markdown(results(table), [], [])
    assert "MSE ↓" in text
    assert "| b | **4.000** |" in text


def images(seed, shift, noise):
    random = np.random.default_rng(seed)
    scenes = np.random.default_rng(0).normal(20, 8, 40)
    return pd.Series(scenes + shift + random.normal(0, noise, 40))


def test_differences_that_are_not_significant_are_marked():
    values = {"a": images(1, 1, 0.5), "b": images(2, 1, 0.5), "c": images(3, 0, 0.5)}
    board = Board(
        list(values), {"s": {name: fusion({"SD": found}) for name, found in values.items()}}
    )
    table, tests = leaderboard(board), significance(board)
    assert set(tests["dataset"]) == {"s"}
    best = table.best(("s", "SD"))
    assert as_good_as_best(table, tests) == {("s", "SD"): {"a", "b"} - {best}}
    text = to_markdown(results(table, board), [], [])
    assert text.count(" ≈ |") == 1
    (marked,) = (line for line in text.splitlines() if line.endswith("≈ |"))
    assert marked.startswith(f"| {'a' if best == 'b' else 'b'} |")


def test_agreement_with_the_task_counts_lower_is_better_downwards():
    rows = {
        name: {("s", "SD"): value, ("s", "MSE"): value, ("s", "mAP@0.5"): value}
        for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))
    }
    table = agreement(Leaderboard(rows)).set_index("metric")
    assert table.loc["SD", "tau"] == pytest.approx(1)
    assert table.loc["MSE", "tau"] == pytest.approx(-1)
    assert table.loc["SD", "methods"] == 3


def ranked(seeds):
    """Three rows in the same order by SD and by mIoU, the first two of which are close."""
    shares = {"a": 0.50, "b": 0.51, "c": 0.90}
    stems = confusions(0, 0.5).stems
    fused, tested = {}, {}
    for place, (name, share) in enumerate(shares.items()):
        row = fusion({"SD": [10 * place + i for i in range(12)]})
        fused[name] = row.model_copy(update={"images": row.images.assign(name=stems)})
        found = [confusions(9 * place + seed, share) for seed in range(seeds)]
        tested[name] = segmentation(*({"confusions": f, "test": labeled(share)} for f in found))
    return assess(Board(list(shares), {"s": fused}, {}, {"s": tested}))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 2])
def test_rank_agreement_has_an_interval_over_images_and_seeds(seeds):
    found = ranked(seeds)
    (row,) = found.ranks.to_dict("records")
    assert (row["tau"], row["high"], row["seeds"]) == (pytest.approx(1), pytest.approx(1), seeds)
    assert row["low"] == pytest.approx(1 / 3), "which of the close ones is better is open"
    worth = "one seed: training noise not included" if seeds == 1 else "2 seeds"
    text = to_markdown(found, [], [])
    assert f"| metric | s mIoU ({worth}) |" in text
    assert "| SD | +1.00 [+0.33, +1.00] (p = 0.33) |" in text


@pytest.mark.parametrize(
    ("stage", "other"),
    [
        ("detection", detection(precision="other")),
        ("segmentation", segmentation(precision="other")),
        ("fusion", fusion({"SD": 1.0}, stretch=True, images=9)),
    ],
)
def test_rows_of_different_protocols_are_refused(stage, other):
    board = two_rows()
    require_comparable(board)
    rows = getattr(board, stage)["msrs"] | {"pomai": other}
    words = r"stretch is (true|false)" if stage == "fusion" else r"precision is "
    with pytest.raises(InputError, match=words + r".*--single-item (detect|segment|evaluate)"):
        require_comparable(replace(board, **{stage: {"msrs": rows}}))


def written(board, root):
    for scores in (board.fusion, board.detection, board.segmentation):
        for dataset, rows in scores.items():
            for method, row in rows.items():
                for seed, run in row.items() if isinstance(row, dict) else [(None, row)]:
                    run.save(score_folder(run.stage, method, dataset, root, seed))
    return root


def test_a_board_is_read_as_it_was_written(tmp_path):
    board = two_rows()
    sets, seeds = (["msrs"],) * 3, ([0, 1],) * 2
    found = read_board(board.methods, *sets, *seeds, scores=written(board, tmp_path))
    assert leaderboard(found).to_csv() == leaderboard(board).to_csv()
    pd.testing.assert_frame_equal(significance(found), significance(board))


def test_a_missing_score_is_an_error_unless_the_row_never_has_the_data_set(tmp_path):
    root = written(two_rows(), tmp_path)
    with pytest.raises(InputError, match=r"evaluate-maximum-msrs.*is missing; run `dvc repro`"):
        read_board(["average", "maximum"], ["msrs"], [], [], [0], [0], scores=root)
    has_images = lambda method, _: method != "maximum"  # noqa: E731
    found = read_board(["average", "maximum"], ["msrs"], [], [], [0], [0], has_images, root)
    assert isnan(leaderboard(found).rows["maximum"]["msrs", "SD"])


def only_on_msrs(method):
    """A second data set, which comes first and on which one method has no images."""
    board = two_rows()
    rows = {name: row for name, row in board.fusion["msrs"].items() if name != method}
    return replace(board, fusion={"tno": rows, **board.fusion})


@pytest.mark.parametrize("method", ["average", "pomai"])
def test_a_row_without_a_data_set_is_undefined_there_and_nowhere_else(method):
    """Whether the row comes first or last, columns keep their order."""
    table = leaderboard(only_on_msrs(method))
    other = {"average": "pomai", "pomai": "average"}[method]
    fusion_columns = [(dataset, name) for dataset in ("tno", "msrs") for name in ("SD", "VIF")]
    tasks = [("msrs", name) for name in ("mAP@0.5", "mAP@0.5:0.95", "mIoU")]
    assert table.columns == fusion_columns + tasks
    assert all(list(row) == table.columns for row in table.rows.values())
    undefined = {column for column, value in table.rows[method].items() if isnan(value)}
    assert undefined == {("tno", "SD"), ("tno", "VIF"), ("msrs", "VIF")}
    assert table.rows[other]["tno", "SD"] == table.rows[other]["msrs", "SD"]
    assert "tno" not in table.to_metrics()[method]
    assert table.best(("tno", "SD")) == other
    shown = pd.read_csv(io.StringIO(table.to_csv()), index_col="method")
    assert shown.loc[method].isna().sum() == 3


def test_comparisons_leave_a_row_without_the_data_set_out():
    found = assess(only_on_msrs("pomai"))
    assert set(found.tests.loc[found.tests["metric"] == "SD", "dataset"]) == {"msrs"}
    ties = as_good_as_best(found.table, found.tests)
    assert ties["tno", "SD"] == frozenset()
    assert set(found.ranks["dataset"]) == {"msrs"}
    text = to_markdown(found, ["average"], [])
    assert "| average | **10.00** | – |" in text
    assert "| pomai | – | – |" in text
    stretching = text.partition("would alone add**")[2].splitlines()
    assert "| method | tno SD | msrs SD |" in stretching
    assert "| pomai | – | +20% |" in stretching


def test_names_that_look_like_numbers_or_like_nothing_come_back(tmp_path):
    names, values = ("001", "002", "None"), np.arange(9.0)
    rows = {name: fusion({"SD": (values + place).tolist()}) for place, name in enumerate(names)}
    board = Board([*names], {"2024": rows, "NA": rows})
    made = assess(board)
    write_results(tmp_path / "results", made, "")
    read = read_results(tmp_path / "results", board, {})
    columns = ["dataset", "metric", "first", "second"]
    pd.testing.assert_frame_equal(read.tests[columns], made.tests[columns], check_dtype=False)
    assert set(read.tests["dataset"]) == {"2024", "NA"}
