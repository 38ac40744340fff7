"""`pomai ablate` without running experiments.

exp_show.json: entries that DVC 3.67 printed in three runs, shortened, two of them renamed.
"""

import json
import statistics
import sys
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.ablations import experiment_names, measured, table

OVERRIDES = [
    "method=[pomai]",
    "detect_on=[]",
    "segment_on=[]",
    "profile=tiny",
    "training.pomai-stage_one.settings.epochs=1",
    "training.pomai-stage_two.settings.epochs=1",
    "fuse_on=[msrs]",
]
PRESETS = ["none", "no_camn", "no_ngmm", "no_micm", "no_freeze"]


@pytest.fixture
def shown():
    return json.loads((Path(__file__).parent / "exp_show.json").read_text())


@pytest.fixture
def runs():
    return experiment_names(PRESETS, [0, 1], OVERRIDES)


def results(shown, name):
    (entry,) = (e for base in shown for e in base["experiments"] or [] if e["name"] == name)
    return entry["revs"][0]["data"]["metrics"]["results/metrics.json"]["data"]["pomai"]["msrs"]


def test_only_finished_experiments_count_although_others_carry_their_commits_numbers(shown, runs):
    values = measured(shown, runs)
    assert set(zip(values.preset, values.seed, strict=True)) == {
        ("none", 0),
        ("none", 1),
        ("no_camn", 0),
    }
    assert set(values.metric) == {"SD", "SF", "AG", "VIF"}


def test_cells_are_means_with_the_spread_over_seeds(shown, runs):
    text = table(measured(shown, runs))
    assert list(text.index) == ["no_camn", "none"], "the order of Table 2"
    assert list(text.columns) == ["msrs SD", "msrs SF", "msrs AG", "msrs VIF"]
    for metric in ("SD", "VIF"):
        pair = [results(shown, runs["none", seed])[metric] for seed in (0, 1)]
        expected = f"{statistics.mean(pair):.3f} ± {statistics.stdev(pair):.3f}"
        assert text.loc["none", f"msrs {metric}"] == expected
    one = results(shown, runs["no_camn", 0])["SF"]
    assert text.loc["no_camn", "msrs SF"] == f"{one:.3f}"


def test_a_metric_that_was_not_measured_is_a_dash(shown, runs):
    del results(shown, runs["no_camn", 0])["VIF"]
    assert table(measured(shown, runs)).loc["no_camn", "msrs VIF"] == "–"


def test_other_overrides_are_other_experiments(runs):
    other = experiment_names(PRESETS, [0, 1], [*OVERRIDES, "fusion.stretch=true"])
    assert not {*runs.values()} & {*other.values()}
    assert len({*runs.values()}) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--presets=no_camm",), "no_camm unknown; choose from no_ngmm, no_camn"),
        (("--seeds=0,one",), "'0,one' are not numbers"),
        (("--set=seed=3",), "seed is varied; use --presets or --seeds"),
        (("--set=profile",), "'profile' is not KEY=VALUE"),
        ((), "dvc.yaml: is missing; run from the project's root folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(monkeypatch, tmp_path, options, message):
    monkeypatch.chdir(tmp_path)
    if options:
        (tmp_path / "dvc.yaml").touch()
    monkeypatch.setattr(sys, "argv", ["pomai", "ablate", *options])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert message in str(stop.value.code)
    assert "\n" not in str(stop.value.code)
