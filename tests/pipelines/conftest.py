import shutil
import subprocess

import pytest
from filelock import FileLock

from tests.pipelines.clones import PROFILE, ROOT, commit, run
from tests.pipelines.preloaded import Server


@pytest.fixture(scope="module")
def project(reproduced, stages, tmp_path_factory):
    """A copy of the reproduced clone, for one module to change.

    Its programs start from loaded packages.
    """
    project = tmp_path_factory.mktemp("clone") / "project"
    stages.write_launchers(project.parent / "bin")
    shutil.copytree(reproduced, project, symlinks=True)
    return project


@pytest.fixture(scope="session")
def stages():
    server = Server(ROOT)
    yield server
    server.end()


@pytest.fixture(scope="session")
def reproduced(stages, tmp_path_factory, worker_id):
    """A clone with everything that Git tracks or would track, reproduced once for all processes."""
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    project = shared / "reproduced"
    with FileLock(shared / "reproduced.lock"):
        if not (shared / "reproduced.done").exists():
            stages.write_launchers(shared / "bin")
            _clone(project)
            (shared / "reproduced.done").touch()
    return project


def _clone(project):
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
    run(project, "pomai", "repro", "--jobs", "2")
    commit(project)
