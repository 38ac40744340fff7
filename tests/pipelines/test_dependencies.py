"""dvc.yaml watches the code that its stages run.

If a test here fails, `python -m pipelines.dependencies` prints what to add and to remove.
"""

import pytest
import yaml

from fusion.core.code import NO_RESULT, ROOT
from pipelines.dependencies import problems

WATCHED = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def code_of_stage(stage):
    return [dep for dep in WATCHED[stage].get("do", WATCHED[stage])["deps"] if "$" not in dep]


MOVED = [
    ("segment", "fusion/images", "add fusion/images/decode.py to stage segment"),
    (
        "segment",
        "fusion/images",
        "remove fusion/metrics from stage segment, which never imports it",
    ),
    ("model", "fusion/methods", "add fusion/methods/pomai/network.py to stage model"),
    ("train", "fusion/blocks", "add fusion/blocks/losses.py to stage train"),
    ("train", "fusion/training", "add fusion/training/sampler.py to stage train"),
    ("report", "detection", "add detection/matches.py to stage report"),
]
"""Stage, a dependency in whose place it watches fusion/metrics, and a problem of that."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Problems of dvc.yaml after those dependencies were replaced."""
    content = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    for stage, old in dict.fromkeys((stage, old) for stage, old, _ in MOVED):
        described = content["stages"][stage].get("do", content["stages"][stage])
        described["deps"][described["deps"].index(old)] = "fusion/metrics"
    path = tmp_path_factory.mktemp("edited") / "dvc.yaml"
    path.write_text(yaml.safe_dump(content))
    return problems(path)


def test_every_stage_watches_the_code_that_it_runs_and_no_other():
    found = problems()
    assert not found, "correct dvc.yaml:\n" + "\n".join(found)


@pytest.mark.parametrize("message", [message for *_, message in MOVED])
def test_code_that_is_not_watched_or_in_vain_is_named(found, message):
    assert any(problem.startswith(message) for problem in found), found


def test_an_edit_of_one_method_trains_no_other():
    """Each method's own code reaches training through `${item.code}` alone."""
    for dep in code_of_stage("train"):
        files = [ROOT / dep] if dep.endswith(".py") else (ROOT / dep).rglob("*.py")
        shared = {"__init__.py", "base.py", "files.py", "registry.py", "settings.py"}
        methods = [f for f in files if "methods" in f.parts and f.name not in shared]
        assert not methods, dep


@pytest.mark.parametrize("stage", ["detect", "segment"])
def test_a_method_reaches_the_tasks_through_its_images_alone(stage):
    assert not [dep for dep in code_of_stage(stage) if dep.startswith("fusion/methods")]


def test_dvc_ignores_exactly_the_code_that_changes_no_number():
    lines = (ROOT / ".dvcignore").read_text().splitlines()
    assert sorted(line for line in lines if line.endswith(".py")) == sorted(
        f"/{name}" for name in NO_RESULT
    )


@pytest.mark.parametrize("stage", ["train", "teach", "fuse"])
def test_settings_that_round_otherwise_run_a_stage_again(stage):
    params = str(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage])
    wanted = ["precision", "channels_last", "reproducible", *(["compile"] * (stage == "train"))]
    assert all(f"'runtime.{name}'" in params for name in wanted)
