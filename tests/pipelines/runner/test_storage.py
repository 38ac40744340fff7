import subprocess
import sys

import pytest

from pipelines.runner.storage import file_system, lock_advice

MOUNTS = """\
overlay / overlay rw 0 0
server:/export {data} nfs4 rw 0 0
tmpfs {data}/fast tmpfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path):
    (tmp_path / "data/project/.dvc").mkdir(parents=True)
    (tmp_path / "data/fast").mkdir()
    file = tmp_path / "mounts"
    file.write_text(MOUNTS.format(data=tmp_path / "data"))
    return file


def test_the_innermost_mount_counts(tmp_path, mounts):
    assert file_system(tmp_path / "data/project", mounts) == (tmp_path / "data", "nfs4")
    assert file_system(tmp_path / "data/fast", mounts) == (tmp_path / "data/fast", "tmpfs")
    assert file_system(tmp_path / "database", mounts)[1] == "overlay"


@pytest.mark.slow
def test_a_network_file_system_needs_dvcs_other_lock(tmp_path, mounts, monkeypatch):
    project = tmp_path / "data/project"
    monkeypatch.chdir(project)
    line = lock_advice(project / ".dvc", several_machines=False, mounts=mounts)
    assert "nfs4" in line
    command = line.partition("`")[2].partition("`")[0].split()
    assert command == ["dvc", "config", "--local", "core.hardlink_lock", "true"]
    subprocess.run([sys.executable, "-m", *command], check=True)
    assert lock_advice(project / ".dvc", several_machines=False, mounts=mounts) is None


def test_several_machines_need_storage_that_all_of_them_see(tmp_path, mounts):
    line = lock_advice(tmp_path / "data/fast", several_machines=True, mounts=mounts)
    assert "is on tmpfs" in line
    assert lock_advice(tmp_path / "data/fast", several_machines=False, mounts=mounts) is None
