import shutil
import subprocess

import pytest

from tests.pipelines.clones import PROFILE, ROOT, commit, run


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
