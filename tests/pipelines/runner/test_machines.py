"""Several machines with one DVC remote: clones of one repository."""

import pytest

from tests.pipelines.runner.conftest import Project


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_machines_share_the_work_and_a_third_restores_it(project, serial, tmp_path):
    config = (project / ".dvc/config").read_text()
    remote = f"[core]\nremote = shared\n['remote \"shared\"']\nurl = {tmp_path / 'remote'}\n"
    (project / ".dvc/config").write_text(config + remote)
    project.run("git", "commit", "-qam", "remote")
    first, second, third = (clone(project, tmp_path / name) for name in ("one", "two", "three"))

    first.run("pomai", "repro", "train@a", "train@b", "--jobs", "2")
    first.run("dvc", "push", "--run-cache")
    second.run("pomai", "repro", "train@c", "train@d", "--jobs", "2", "--pull")
    second.run("dvc", "push", "--run-cache")
    third.run("pomai", "repro", "--jobs", "2", "--pull")

    names = [[name for name, *_ in machine.ran()] for machine in (first, second, third)]
    assert [sorted(one) for one in names] == [["a", "b", "start"], ["c", "d"], ["end"]]
    assert (third / "dvc.lock").read_bytes() == serial


def clone(project, folder):
    project.run("git", "clone", "-q", str(project.folder), str(folder))
    return Project(folder)
