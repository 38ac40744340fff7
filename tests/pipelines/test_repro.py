"""The real `dvc repro` and `dvc exp run`, in a temporary clone, on the tiny profile."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fusion.metrics import CORE
from fusion.model_files import WEIGHTS
from fusion.pretrained import load

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROFILE = ("profile=tiny", "method=[average,pomai]")
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")
FUSION_ONLY = ("detect_on=[]", "segment_on=[]")

pytestmark = pytest.mark.slow


def run(project, *command, code=0):
    """A command in the project, with the environment's `bin` on PATH as `uv run` gives it."""
    environment = {"OMP_NUM_THREADS": "2"} | os.environ
    environment["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment["DVC_NO_ANALYTICS"] = "1"
    result = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def metrics(project):
    return json.loads((project / "results/metrics.json").read_text())


def table(project):
    return pd.read_csv(project / "results/leaderboard.csv", index_col="method")


def ran(output):
    """Names of the stages that DVC ran."""
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


def lock(project):
    """What DVC knows of each stage: checksums of everything it read and wrote."""
    return yaml.safe_load((project / "dvc.lock").read_text())["stages"]


def modified(project, *patterns):
    """Times of all files of some folders."""
    files = [
        f for pattern in patterns for folder in project.glob(pattern) for f in folder.iterdir()
    ]
    return {file: file.stat().st_mtime_ns for file in files}


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
    run(project, "git", "add", "-A")
    run(project, "git", *IDENTITY, "commit", "-q", "-m", "state")


def test_a_leaderboard_of_every_method_and_every_kind_of_number(project):
    shown = table(project)
    assert list(shown.index) == ["average", "pomai"]
    assert list(shown.columns) == [
        *(f"{dataset} {name}" for dataset in ("msrs", "m3fd") for name in CORE),
        "m3fd mAP@0.5",
        "m3fd mAP@0.5:0.95",
        "msrs mIoU",
    ]
    assert shown.notna().all(axis=None)
    tests = pd.read_csv(project / "results/significance.csv")
    assert len(tests) == 2 * len(CORE), "one pair of methods on every metric of both data sets"
    printed = json.loads(run(project, "dvc", "metrics", "show", "--json"))
    content = next(iter(printed.values()))["data"]["results/metrics.json"]["data"]
    assert content == metrics(project)
    assert content["pomai"]["msrs"]["SD"] == pytest.approx(shown.loc["pomai", "msrs SD"], rel=1e-4)


def test_a_second_run_does_nothing(project):
    output = run(project, "dvc", "repro")
    assert "Running stage" not in output
    assert "up to date" in output


def test_tested_detectors_are_an_artifact_of_dvc(project, tmp_path):
    run(project, "git", *IDENTITY, "tag", "-a", "detectors@v1.0.0", "-m", "first")
    run(project, "dvc", "artifacts", "get", ".", "detectors", "--out", str(tmp_path / "detectors"))
    names = [f"detect-{method}-m3fd/seed-0.pt" for method in ("average", "pomai")]
    for name in names:
        got = (tmp_path / "detectors" / name).read_bytes()
        assert got == (project / "weights" / name).read_bytes()
    assert len(list(tmp_path.rglob("*.pt"))) == len(names)


def test_rows_measured_differently_are_refused_with_a_remedy_that_works(project):
    """As after an update of a library: DVC sees no change, so only the command helps."""
    before = table(project)
    path = project / "scores/detect-average-m3fd/scores.json"
    content = json.loads(path.read_text())
    content["protocol"]["libraries"]["torch"] = "1.0"
    path.unlink()  # it may be a link into DVC's cache
    path.write_text(json.dumps(content))
    run(project, "dvc", "commit", "--force", "detect@average-m3fd")
    refused = run(project, "dvc", "repro", code=255)
    assert "libraries.torch is" in refused
    command = re.search(r"`(dvc repro --force [^`]*)`", refused)[1]
    assert ran(run(project, *command.split())) == {"detect@average-m3fd"}
    run(project, "dvc", "repro")
    pd.testing.assert_frame_equal(table(project), before)
    restore(project)


def test_an_ablation_reruns_only_what_it_changes(project):
    before = metrics(project)
    settings = overrides("ablation=no_micm", "fuse_on=[msrs]", *FUSION_ONLY)
    output = run(project, "dvc", "exp", "run", *settings)
    stages = ran(output)
    assert "train@pomai-stage_two" in stages
    assert "Stage 'train@pomai-stage_one' didn't change, skipping" in output
    assert not any("average" in stage for stage in stages)
    after = metrics(project)
    assert after["average"]["msrs"].items() <= before["average"]["msrs"].items()
    assert after["pomai"]["msrs"]["SD"] != before["pomai"]["msrs"]["SD"]
    restore(project)


def test_another_seed_gives_another_network_the_same_seed_the_same(project):
    before = metrics(project)
    run(project, "dvc", "exp", "run", *overrides("seed=1", "fuse_on=[msrs]", *FUSION_ONLY))
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


TOY = '''
"""One convolution over both images, learning their maximum."""

import torch
from torch import nn

from fusion.color import luminance
from fusion.methods.base import FusionMethod, PhaseConfig, TrainingPhase, register


@register("toy")
class Toy(FusionMethod):
    phases = {"only": PhaseConfig}

    def __init__(self, config):
        super().__init__(config)
        self.mix = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, infrared, visible):
        return self.mix(torch.cat((infrared, luminance(visible)), dim=1)).sigmoid()

    @classmethod
    def start_phase(cls, name, config, settings, previous):
        return ToyTraining(cls(config))


class ToyTraining(TrainingPhase):
    def __init__(self, method):
        super().__init__()
        self.method = method

    def forward(self, batch):
        wanted = torch.maximum(batch.infrared, luminance(batch.visible))
        return {"loss": (self.method(batch.infrared, batch.visible) - wanted).abs().mean()}
'''

TOY_PARAMETERS = """
# @package _global_
methods:
  toy:
    source: models/toy-only
training:
  toy-only:
    method: toy
    code: fusion/methods/toy.py
    phase: only
    after: data/train
    settings: {epochs: 2, batch_size: 4, crop: 32, learning_rate: 0.01}
"""


def test_a_method_is_one_file_and_its_block_of_parameters(project):
    before, locked = table(project), lock(project)
    models = modified(project, "models/average", "models/pomai*")
    (project / "fusion/methods/toy.py").write_text(TOY.lstrip())
    (project / "conf/method/toy.yaml").write_text(TOY_PARAMETERS.lstrip())
    settings = overrides("method=[average,pomai,toy]", "fuse_on=[msrs]", *FUSION_ONLY)
    output = run(project, "dvc", "exp", "run", *settings)
    stages = {"train@toy-only", "model@toy", "fuse@toy-msrs", "evaluate@toy-msrs", "report"}
    assert ran(output) == stages, "the toy's own stages, nothing of the others"
    assert "Stage 'train@pomai-stage_one' didn't change, skipping" in output
    after = table(project)
    assert list(after.index) == ["average", "pomai", "toy"]
    assert after.loc["toy"].notna().all()
    pd.testing.assert_frame_equal(after.loc[before.index], before[after.columns])
    now = lock(project)
    others = [
        name for name in locked if name.split("@")[0] in {"train", "model", "fuse", "evaluate"}
    ]
    assert len(others) == 12
    assert {name: now[name] for name in others} == {name: locked[name] for name in others}
    assert modified(project, "models/average", "models/pomai*") == models
    restore(project)


PRECOMPUTED = """
# @package _global_
methods:
  others:
    kind: precomputed
    source: others
"""


@pytest.mark.timeout(1800)  # some twenty stages, each a process that imports its libraries
def test_every_kind_of_row_goes_all_the_way(project):
    """Learned methods, one of them taught, and images that others fused, here copies of average's.

    Scores of the same images are the same, whoever fused them. One data set and its task: the
    other's stages read the same kind of folder.
    """
    before = table(project)
    shutil.copytree(project / "fused/average-msrs", project / "others/msrs")
    (project / "conf/method/others.yaml").write_text(PRECOMPUTED.lstrip())
    rows = ["average", "pomai", "emma", "cddfuse", "mmaunet", "others"]
    settings = overrides(
        f"method=[{','.join(rows)}]", "teachers=[average]", "fuse_on=[msrs]", "detect_on=[]"
    )
    output = run(project, "dvc", "exp", "run", *settings)
    stages = ran(output)
    trained = {stage for stage in stages if stage.startswith(("train@", "teach@"))}
    phases = {
        "emma": ("sensing", "fusion"),
        "cddfuse": ("reconstruction", "fusion"),
        "mmaunet": ("visible", "infrared", "fusion"),
    }
    expected = {f"train@{name}-{phase}" for name, found in phases.items() for phase in found}
    assert trained == {*expected, "teach@average"}
    assert not {stage for stage in stages - trained if "average" in stage or "pomai" in stage}
    after = table(project)
    assert list(after.index) == rows
    assert after.notna().all(axis=None)
    pd.testing.assert_frame_equal(after.loc[before.index], before[after.columns])
    pd.testing.assert_series_equal(after.loc["others"], after.loc["average"], check_names=False)
    notes = (project / "results/leaderboard.md").read_text()
    assert "- others: images fused elsewhere, as delivered, not stretched here; " in notes
    assert not after.loc[["pomai", "emma", "cddfuse", "mmaunet"]].duplicated().any()
    lessons, pairs = (
        json.loads((project / f"models/emma-{phase}/card.json").read_text())["data"]
        for phase in ("sensing", "fusion")
    )
    assert lessons["sets"] == pairs["sets"] == {"msrs": 8}
    assert lessons["sha256"] != pairs["sha256"], "lessons are data too"
    restore(project)


def test_a_published_network_carries_its_data_training_commit_and_scores(project):
    run(project, "pomai", "publish", "pomai", "published")
    card = json.loads((project / "published/card.json").read_text())
    assert (card["method"], card["phase"]) == ("pomai", "stage_two")
    assert card["data"]["sets"] == {"msrs": 8}
    assert [phase["phase"] for phase in card["before"]] == ["stage_one"]
    assert card["before"][0]["settings"]["epochs"] == 30
    assert card["commit"] == run(project, "git", "rev-parse", "HEAD").strip()
    assert card["uncommitted"] == []
    assert card["metrics"] == metrics(project)["pomai"]
    assert any("split `random`" in condition for condition in card["conditions"])
    weights = {(project / place / WEIGHTS).read_bytes() for place in ("models/pomai", "published")}
    assert len(weights) == 1
    infrared = np.full((32, 40), 90, np.uint8)
    assert load(project / "published")(infrared, infrared).shape == (32, 40)


def test_scores_of_other_code_are_not_published(project):
    with (project / "fusion/methods/pomai.py").open("a") as code:
        code.write("# another thought\n")
    printed = run(project, "pomai", "publish", "pomai", "stale", code=1)
    assert "pomai: is not up to date: train@pomai-stage_one, train@pomai-stage_two; run" in printed
    assert not (project / "stale").exists()
    restore(project)


def cells_of(printed):
    lines = (line.split("│") for line in printed.splitlines())
    return {cells[1].strip(): cells[2:] for cells in lines if len(cells) > 2}


def restore(project):
    run(project, "git", "checkout", "-q", ".")
    run(project, "git", "clean", "-qfd")
    run(project, "dvc", "checkout", "-q")


def overrides(*values):
    """The profile's, and others that replace those of the same key."""
    chosen = {value.partition("=")[0]: value for value in (*PROFILE, *values)}
    return [item for value in chosen.values() for item in ("-S", value)]
