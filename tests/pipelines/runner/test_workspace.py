"""Files that experiments change come back, also after a kill."""

import shutil

import pytest

from pipelines.runner import workspace


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workspace, "uncached_files", lambda: [tmp_path / "results/a.csv"])
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / "params.yaml").write_text("mine")
    return tmp_path


def change(project):
    (project / "params.yaml").write_text("an experiment's")
    (project / "results").mkdir(exist_ok=True)
    (project / "results/a.csv").write_text("an experiment's")


def fail_after_changes(project):
    with workspace.kept():
        change(project)
        raise ValueError("failed")


def test_files_come_back_and_new_ones_go(project):
    with pytest.raises(ValueError, match="failed"):
        fail_after_changes(project)
    assert (project / "params.yaml").read_text() == "mine"
    assert not (project / "results/a.csv").exists()
    assert not workspace.KEPT.exists()


def test_after_a_kill_the_next_run_brings_them_back(project, capsys):
    with workspace.kept():
        shutil.copytree(workspace.KEPT, project / "copy")
    (project / "copy").rename(workspace.KEPT)  # as a killed process leaves it
    change(project)
    with workspace.kept():
        assert "params.yaml and results of before it are in" in capsys.readouterr().err
        change(project)
    assert (project / "params.yaml").read_text() == "mine"
    assert not (project / "results/a.csv").exists()
