"""The real `dvc repro` and `dvc exp run`, in a temporary clone, on the tiny profile."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fusion.metrics import CORE

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROFILE = ("profile=tiny", "method=[average,pomai]")
FUSION_ONLY = ("detect_on=[]", "segment_on=[]")

pytestmark = pytest.mark.slow


def run(project, *command):
    """A command in the project, with the environment's `bin` on PATH as `uv run` gives it."""
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "OMP_NUM_THREADS": "2",
    }
    result = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def metrics(project):
    return json.loads((project / "results/metrics.json").read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone with everything that Git tracks or would track, reproduced once."""
    project = tmp_path_factory.mktemp("clone") / "project"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    (project / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(project / "results", ignore_errors=True)
    run(project, "pomai", "params", *PROFILE)
    run(project, "git", "init", "-q")
    commit(project)
    run(project, "dvc", "repro")
    commit(project)
    return project


def commit(project):
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    run(project, "git", "add", "-A")
    run(project, "git", *identity, "commit", "-q", "-m", "state")


def test_a_leaderboard_of_every_method_and_every_kind_of_number(project):
    table = pd.read_csv(project / "results/leaderboard.csv", index_col="method")
    assert list(table.index) == ["average", "pomai"]
    assert list(table.columns) == [
        *(f"{dataset} {name}" for dataset in ("msrs", "m3fd") for name in CORE),
        "m3fd mAP@0.5",
        "m3fd mAP@0.5:0.95",
        "msrs mIoU",
    ]
    assert table.notna().all(axis=None)
    tests = pd.read_csv(project / "results/significance.csv")
    assert len(tests) == 2 * len(CORE), "one pair of methods on every metric of both data sets"
    shown = json.loads(run(project, "dvc", "metrics", "show", "--json"))
    content = next(iter(shown.values()))["data"]["results/metrics.json"]["data"]
    assert content == metrics(project)
    assert content["pomai"]["msrs"]["SD"] == pytest.approx(table.loc["pomai", "msrs SD"], rel=1e-4)


def test_a_second_run_does_nothing(project):
    output = run(project, "dvc", "repro")
    assert "Running stage" not in output
    assert "up to date" in output


def test_an_ablation_reruns_only_what_it_changes(project):
    before = metrics(project)
    output = run(project, "dvc", "exp", "run", *overrides("ablation=no_micm"))
    ran = {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}
    assert "train@pomai-stage_two" in ran
    assert "Stage 'train@pomai-stage_one' didn't change, skipping" in output
    assert not any("average" in stage for stage in ran)
    after = metrics(project)
    assert after["average"] == before["average"]
    assert after["pomai"] != before["pomai"]
    restore(project)


def test_another_seed_gives_another_network_the_same_seed_the_same(project):
    before = metrics(project)
    run(project, "dvc", "exp", "run", *overrides("seed=1", *FUSION_ONLY))
    other = metrics(project)
    assert other["pomai"]["msrs"]["SD"] != before["pomai"]["msrs"]["SD"]
    assert other["average"]["msrs"].items() <= before["average"]["msrs"].items()
    restore(project)
    run(project, "dvc", "repro", "--force", "--single-item", "train@pomai-stage_one")
    assert run(project, "git", "status", "--short", "dvc.lock") == "", "same seed, other weights"


def test_queued_ablations_complete_and_compare(project):
    settings = [item for value in PROFILE for item in ("--set", value)]
    command = ("pomai", "ablate", "--presets", "no_ngmm,no_freeze", "--seeds", "0", *settings)
    rows = cells_of(run(project, *command))
    assert rows.keys() == {"no_ngmm", "no_freeze"}
    values = [float(cells[0]) for cells in rows.values()]
    assert len({*values, round(metrics(project)["pomai"]["msrs"]["SD"], 3)}) == 3
    assert cells_of(run(project, *command, "--table-only")) == rows


def cells_of(printed):
    lines = (line.split("│") for line in printed.splitlines())
    return {cells[1].strip(): cells[2:] for cells in lines if len(cells) > 2}


def restore(project):
    run(project, "git", "checkout", "-q", ".")
    run(project, "dvc", "checkout", "-q")


def overrides(*values):
    return [item for value in (*PROFILE, *values) for item in ("-S", value)]
