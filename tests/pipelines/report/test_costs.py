"""Costs: from the stages' files to the leaderboard's columns."""

import json
from io import StringIO

import pandas as pd
import pytest

from fusion.core.errors import InputError
from pipelines.costs import (
    FuseCost,
    ModelCost,
    TrainCost,
    fuse_cost_file,
    model_cost_file,
    train_cost_file,
)
from pipelines.report.costs import cost_table, read_costs, times
from pipelines.report.markdown import to_markdown
from pipelines.report.tables import assess, write_results
from pipelines.rows import Precomputed, Trained, Untrained
from tests.pipelines.report.boards import two_rows

ROWS = (
    Untrained(name="average", kind="average", source="fusion/methods/average.py"),
    Trained(name="pomai", kind="pomai", source="models/b", phases=["pomai-a", "pomai-b"]),
    Precomputed(name="theirs", source="elsewhere"),
)


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """The files of two rows on two data sets; the second data set was fused on a busy machine."""
    monkeypatch.chdir(tmp_path)
    for name, parameters in (("average", 0), ("pomai", 98_647_381)):
        ModelCost(parameters=parameters, gflop=parameters / 1e6).save(model_cost_file(name))
        for dataset, busy in (("msrs", 1), ("m3fd", 3)):
            cost = FuseCost(
                milliseconds=31.4159 * busy, device="cpu", threads=2, precision="32-true"
            )
            cost.save(fuse_cost_file(name, dataset))
    for key in ("pomai-a", "pomai-b"):
        TrainCost(seconds=90, device="cpu", processes=1).save(train_cost_file(key))
    return read_costs(ROWS, ["msrs", "m3fd"])


def test_times_are_the_least_disturbed_and_training_adds_up(measured):
    assert measured["pomai"].milliseconds == 31.4159
    assert measured["pomai"].minutes == 3
    assert times(measured)["pomai"] == {"milliseconds": 31.4159, "training_minutes": 3.0}


def test_a_row_without_a_cost_says_why(measured):
    table = cost_table(measured).set_index("method")
    assert table.loc["theirs", "note"] == "fused elsewhere"
    assert pd.isna(table.loc["theirs", "parameters"])
    assert table.loc["average", "note"] == "not trained"
    assert table.loc["pomai", "note"] == ""


def test_sizes_are_columns_of_the_leaderboard_and_times_are_not(measured, tmp_path):
    board = two_rows()
    costs = {name: measured[name] for name in board.methods}
    results = assess(board, costs)
    written = pd.read_csv(StringIO(results.table.to_csv()), index_col="method")
    assert written.loc["pomai", "parameters"] == 98_647_381
    assert results.table.to_metrics()["average"]["cost"] == {"parameters": 0, "GFLOP": 0.0}
    text = to_markdown(results, [], [])
    assert "| pomai | 98,647,381 | 98.65 |" in text
    write_results(tmp_path / "results", results, text)
    stable = ("leaderboard.csv", "leaderboard.md", "metrics.json")
    assert not [n for n in stable if "31.4159" in (tmp_path / "results" / n).read_text()]
    assert json.loads((tmp_path / "results/times.json").read_text())["average"] == {
        "milliseconds": 31.4159
    }


def test_a_missing_or_damaged_cost_is_named(measured, tmp_path):
    path = tmp_path / fuse_cost_file("pomai", "msrs")
    path.write_text("{}]")
    with pytest.raises(InputError, match=r"costs/fuse-pomai-msrs.json: is damaged"):
        read_costs(ROWS, ["msrs", "m3fd"])
    path.unlink()
    with pytest.raises(InputError, match=r"costs/fuse-pomai-msrs.json: is missing"):
        read_costs(ROWS, ["msrs", "m3fd"])
