"""dvc.lock belongs to dvc.yaml, params.yaml, the code and the numbers in results/."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from dvc.stage import PipelineStage

from fusion.core.code import ROOT

REMEDY = "run `uv run dvc repro` and commit dvc.lock and results/"


def outdated(root):
    """What changed since dvc.lock was written, of all that Git keeps.

    Images, models and scores are in DVC's cache, which a fresh clone does not have; so they are
    not looked at.
    """
    recorded = set(yaml.safe_load((root / "dvc.lock").read_text())["stages"])
    with Repo(str(root)) as repository:
        stages = [stage for stage in repository.index.stages if isinstance(stage, PipelineStage)]
        made = [Path(out.fs_path) for stage in stages for out in stage.outs]
        described = {stage.name for stage in stages}
        found = [f"{name} is in dvc.lock only" for name in sorted(recorded - described)]
        found += [f"{name} is not in dvc.lock" for name in sorted(described - recorded)]
        for stage in stages:
            if stage.name not in recorded:
                continue
            kept = [dep for dep in stage.deps if not _is_made(Path(dep.fs_path), made)]
            kept += [out for out in stage.outs if not out.use_cache]
            changed = {str(what) for item in kept for what in item.workspace_status()}
            found += [f"{stage.name} ran with another {what}" for what in sorted(changed)]
    return found


def _is_made(path, made):
    """Whether stages make it: an output, what is in one, or a folder of outputs."""
    return any(path == out or out in path.parents or path in out.parents for out in made)


@pytest.mark.slow
def test_the_lock_records_this_very_state():
    if not (ROOT / "dvc.lock").exists():
        pytest.skip("dvc.lock is missing: `uv run dvc repro` writes it")
    found = outdated(ROOT)
    assert not found, "\n".join([*found, REMEDY])


@pytest.fixture
def project(tmp_path):
    """A stage that has run, with code, a parameter, an output in Git and one in the cache."""
    stage = {
        "cmd": f"{sys.executable} code/run.py",
        "deps": ["code"],
        "params": ["seed"],
        "outs": ["images", {"results.txt": {"cache": False}}],
    }
    (tmp_path / "code").mkdir()
    script = "from pathlib import Path\nfor n in ('images', 'results.txt'): Path(n).write_text('1')"
    (tmp_path / "code/run.py").write_text(script)
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"work": stage}}))
    for command in ("init --no-scm", "repro"):
        subprocess.run(
            [sys.executable, "-m", "dvc", *command.split()],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
    return tmp_path


@pytest.mark.slow
def test_whatever_changed_since_is_named(project):
    def after(name, content):
        before = (project / name).read_bytes()
        (project / name).write_text(content)
        found = outdated(project)
        (project / name).write_bytes(before)
        return found

    assert outdated(project) == []
    assert after("code/run.py", "# edited") == ["work ran with another code"]
    assert after("params.yaml", "seed: 1\n") == ["work ran with another params.yaml"]
    assert after("results.txt", "2") == ["work ran with another results.txt"]
    renamed = (project / "dvc.yaml").read_text().replace("work:", "other:")
    assert after("dvc.yaml", renamed) == ["work is in dvc.lock only", "other is not in dvc.lock"]
    (project / "images").unlink()
    assert outdated(project) == []
