"""`pomai ablate` on a DVC project of one stage: what is saved, skipped and brought back."""

import shutil

import pytest

from tests.pipelines.runner.conftest import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STAGE = """
import json, sys, yaml
from pathlib import Path
settings = yaml.safe_load(open("params.yaml"))
if settings["camn"] and settings["seed"] == 1:
    sys.exit(5)
scores = {"SD": settings["seed"] + 10.0, "SF": 20.0 if settings["ngmm"] else 2.0}
Path("results").mkdir(exist_ok=True)
Path("model.txt").write_text(json.dumps(settings))
Path("results/metrics.json").write_text(json.dumps({"pomai": {"msrs": scores}}))
"""
PIPELINE = """
stages:
  report:
    cmd: python stage.py
    deps: [stage.py]
    params: [seed, ngmm, camn]
    outs: [model.txt]
    metrics:
      - results/metrics.json: {cache: false}
"""
CONFIG = """
defaults: [_self_, ablation: none]
seed: 7
ngmm: true
camn: true
method: [pomai]
detect_on: [m3fd]
segment_on: [msrs]
"""


@pytest.fixture
def project(template, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(template, folder, symlinks=True)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "stage.py").write_text(STAGE)
    (folder / "conf/config.yaml").write_text(CONFIG)
    (folder / "conf/ablation").mkdir()
    for name, change in (("none", "{}"), ("no_ngmm", "ngmm: false"), ("no_camn", "camn: false")):
        (folder / f"conf/ablation/{name}.yaml").write_text(f"# @package _global_\n{change}\n")
    made = Project(folder)
    made.run("pomai", "params")
    made.run("dvc", "repro", "-q")
    made.run("git", "add", "-A")
    made.run("git", "commit", "-qm", "reproduced")
    yield made
    made.end()


def test_ablations_are_experiments_and_the_workspace_gets_its_own_state_back(project):
    files = ("params.yaml", "dvc.lock", "results/metrics.json", "model.txt")
    before = {name: (project / name).read_bytes() for name in files}
    command = ("pomai", "ablate", "--presets", "no_ngmm,no_camn", "--seeds", "0,1")

    printed = project.run(*command, code=1)
    assert "experiment 4 of 4" in printed
    assert cells(printed) == {
        "no_ngmm": ["10.000", "2.000"],  # its second seed failed
        "no_camn": ["10.500 ± 0.707", "20.000 ± 0.000"],
    }
    assert "no_ngmm-seed1 is not saved: dvc.yaml: 1 of its stages failed: report" in printed
    assert "not in the table: " in printed.splitlines()[-1]
    assert {name: (project / name).read_bytes() for name in files} == before

    (project / "stage.py").write_text(STAGE.replace("sys.exit(5)", "pass"))
    printed = project.run(*command)
    assert "experiment 1 of 1" in printed, "saved experiments ran again"
    assert cells(printed)["no_ngmm"] == ["10.500 ± 0.707", "2.000 ± 0.000"]
    assert cells(project.run(*command, "--table-only")) == cells(printed)


def cells(printed):
    """Rows of the printed table: the first two columns of values."""
    lines = (line.split("│") for line in printed.splitlines())
    return {c[1].strip(): [cell.strip() for cell in c[2:4]] for c in lines if len(c) > 3}
