"""The real `pomai repro` and `dvc repro`, in a temporary clone, on the tiny profile."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from fusion.inference.pretrained import load
from fusion.methods.files import WEIGHTS
from fusion.metrics import CORE
from tests.pipelines.clones import (
    FUSION_ONLY,
    IDENTITY,
    lock,
    metrics,
    ran,
    reproduce,
    restore,
    run,
    table,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # stages import slow libraries


def test_a_leaderboard_of_every_method_and_every_kind_of_number(project):
    shown = table(project)
    assert list(shown.index) == ["average", "pomai"]
    assert list(shown.columns) == [
        *(f"{dataset} {name}" for dataset in ("msrs", "m3fd") for name in CORE),
        "m3fd mAP@0.5",
        "m3fd mAP@0.5:0.95",
        "msrs mIoU",
        "parameters",
        "GFLOP",
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


def test_stages_ran_side_by_side_each_with_a_log_of_its_own(project):
    """`pomai repro` made the clone; the test above shows that DVC has nothing to add."""
    logs = {file.stem: file.read_text() for file in (project / ".dvc/tmp/pomai").glob("*.log")}
    assert logs.keys() == lock(project).keys()
    assert all(f"Running stage '{stage}'" in text for stage, text in logs.items())


def test_a_new_seed_trains_that_seed_alone(project):
    before = table(project).loc[["average"]]
    scores = {seed: project / f"scores/detect-average-m3fd-{seed}/scores.json" for seed in (0, 1)}
    output = reproduce(project, "detect_seeds=[0,1]", "method=[average]")
    assert ran(output) == {"detect@average-m3fd-1", "report", "page"}
    found = [json.loads(path.read_text())["map50"] for path in scores.values()]
    after = table(project)
    assert after.loc["average", "m3fd mAP@0.5"] == pytest.approx(np.mean(found), rel=1e-4)
    others = [name for name in before if "mAP" not in name]
    pd.testing.assert_frame_equal(after[others], before[others], check_dtype=False)
    restore(project)


def test_tested_detectors_are_an_artifact_of_dvc(project, tmp_path):
    run(project, "git", *IDENTITY, "tag", "-a", "detectors@v1.0.0", "-m", "first")
    run(project, "dvc", "artifacts", "get", ".", "detectors", "--out", str(tmp_path / "detectors"))
    names = [f"detect-{method}-m3fd-0.pt" for method in ("average", "pomai")]
    for name in names:
        got = (tmp_path / "detectors" / name).read_bytes()
        assert got == (project / "weights" / name).read_bytes()
    assert len(list(tmp_path.rglob("*.pt"))) == len(names)


def test_rows_measured_differently_are_refused_with_a_remedy_that_works(project):
    """As after an update of a library: DVC sees no change, so only the command helps."""
    before = table(project)
    path = project / "scores/detect-average-m3fd-0/scores.json"
    content = json.loads(path.read_text())
    content["protocol"]["libraries"]["torch"] = "1.0"
    path.unlink()  # it may be a link into DVC's cache
    path.write_text(json.dumps(content))
    run(project, "dvc", "commit", "--force", "detect@average-m3fd-0")
    refused = run(project, "dvc", "repro", code=255)
    assert "libraries.torch is" in refused
    command = re.search(r"`(dvc repro --force [^`]*)`", refused)[1]
    assert ran(run(project, *command.split())) == {"detect@average-m3fd-0"}
    run(project, "dvc", "repro")
    pd.testing.assert_frame_equal(table(project), before)
    restore(project)


PRECOMPUTED = """
# @package _global_
methods:
  others:
    kind: precomputed
    source: others
"""


def test_every_kind_of_row_goes_all_the_way(project):
    """A method taught by another, and images that others fused, here copies of average's.

    Scores of the same images are the same, whoever fused them. One data set and no task: their
    stages read the same kind of folder. Every learned method trains in a test of its own.
    """
    before = table(project)
    shutil.copytree(project / "fused/average-msrs", project / "others/msrs")
    (project / "conf/method/others.yaml").write_text(PRECOMPUTED.lstrip())
    rows = ["average", "pomai", "emma", "others"]
    settings = (f"method=[{','.join(rows)}]", "teachers=[average]", "fuse_on=[msrs]", *FUSION_ONLY)
    stages = ran(reproduce(project, *settings))
    trained = {stage for stage in stages if stage.startswith(("train@", "teach@"))}
    assert trained == {"teach@average", "train@emma-sensing", "train@emma-fusion"}
    assert not {stage for stage in stages - trained if "average" in stage or "pomai" in stage}
    after = table(project)
    assert list(after.index) == rows
    costs = ["parameters", "GFLOP"]
    assert after.loc["others", costs].isna().all(), "nobody knows what fused them"
    measured = after.drop(columns=costs)
    assert measured.notna().all(axis=None)
    assert after.drop(index="others").notna().all(axis=None)
    expected = before[after.columns]
    again = after.loc[before.index].astype(expected.dtypes)  # a column with a gap is of floats
    pd.testing.assert_frame_equal(again, expected)
    pd.testing.assert_series_equal(
        measured.loc["others"], measured.loc["average"], check_names=False
    )
    notes = (project / "results/leaderboard.md").read_text()
    assert "- others: images fused elsewhere, as delivered, not stretched here; " in notes
    assert not after.loc[["pomai", "emma"]].duplicated().any()
    lessons, pairs = (
        json.loads((project / f"models/emma-{phase}/card.json").read_text())["data"]
        for phase in ("sensing", "fusion")
    )
    assert lessons["sets"] == pairs["sets"] == {"msrs": 8}
    assert lessons["sha256"] != pairs["sha256"], "lessons are data too"
    restore(project)


def test_a_run_that_trains_nothing_has_a_page_too(project):
    """As in a fresh clone: no stage of this run makes a folder of plots."""
    shutil.rmtree(project / "plots")
    run(project, "git", "checkout", "-q", "plots")
    output = reproduce(project, "method=[average]", "fuse_on=[msrs]", *FUSION_ONLY)
    assert ran(output) == {"report", "page"}
    assert list(table(project).index) == ["average"]
    assert (project / "results/report/index.html").is_file()
    restore(project)


def test_a_published_network_carries_its_data_training_commit_and_scores(project):
    run(project, "pomai", "publish", "pomai", "published")
    card = json.loads((project / "published/card.json").read_text())
    assert (card["method"], card["phase"]) == ("pomai", "stage_two")
    assert card["data"]["sets"] == {"msrs": 8}
    assert [phase["phase"] for phase in card["before"]] == ["stage_one"]
    assert card["before"][0]["settings"]["epochs"] == 2
    assert card["commit"] == run(project, "git", "rev-parse", "HEAD").strip()
    assert card["uncommitted"] == []
    measured = metrics(project)["pomai"]
    assert measured.pop("cost")["parameters"] > 0
    assert card["metrics"] == measured
    assert any("split `random`" in condition for condition in card["conditions"])
    weights = {(project / place / WEIGHTS).read_bytes() for place in ("models/pomai", "published")}
    assert len(weights) == 1
    infrared = np.full((32, 40), 90, np.uint8)
    assert load(project / "published")(infrared, infrared).shape == (32, 40)
    assert f"- Commit: `{card['commit']}`" in (project / "published/README.md").read_text()


def test_scores_of_other_code_are_not_published(project):
    with (project / "fusion/methods/pomai/network.py").open("a") as code:
        code.write("# another thought\n")
    printed = run(project, "pomai", "publish", "pomai", "stale", code=1)
    stale = "model@pomai, train@pomai-stage_one, train@pomai-stage_two"
    assert f"pomai: is not up to date: {stale}; run" in printed
    assert not (project / "stale").exists()
    restore(project)
