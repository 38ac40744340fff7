"""Folders of a Git repository."""

import subprocess

import pytest

from fusion.core.errors import InputError
from pipelines.download.clone import clone


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """Two commits; the second changes `set/a.png`. `other` is no part of the data set."""
    folder = tmp_path / "repository"
    for name in ("set/a.png", "other/b.png", "nested/set/c.png"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("first")
    git(folder, "init", "-q")
    for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(folder, "config", setting, "true")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    first = git(folder, "rev-parse", "HEAD")
    (folder / "set/a.png").write_text("second")
    (folder / "set/link").symlink_to("/etc/passwd")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "second")
    return folder.as_uri(), first, git(folder, "rev-parse", "HEAD")


def test_only_the_named_folders_of_the_latest_commit(repository, tmp_path):
    url, _, latest = repository
    assert clone(url, None, ["set"], tmp_path / "out") == latest
    assert (tmp_path / "out/set/a.png").read_text() == "second"
    assert not (tmp_path / "out/other").exists()
    assert not (tmp_path / "out/nested").exists()
    assert not (tmp_path / "out/set/link").is_symlink()
    assert git(tmp_path / "out", "rev-list", "--count", "HEAD") == "1"


def test_a_fixed_commit_and_an_earlier_attempt(repository, tmp_path):
    url, first, latest = repository
    assert clone(url, latest, ["set"], tmp_path / "out") == latest
    (tmp_path / "out/set/a.png").write_text("half")
    assert clone(url, first, ["set"], tmp_path / "out") == first
    assert (tmp_path / "out/set/a.png").read_text() == "first"


def test_failures(repository, tmp_path, monkeypatch):
    url, *_ = repository
    with pytest.raises(InputError, match=r"no longer has the commit .*; --accept the latest one"):
        clone(url, "0" * 40, ["set"], tmp_path / "a")
    with pytest.raises(InputError, match="has no folder ir; look at the repository"):
        clone(url, None, ["ir"], tmp_path / "b")
    with pytest.raises(InputError, match="is not a Git repository; check its address"):
        clone((tmp_path / "none").as_uri(), None, ["set"], tmp_path / "c")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="is not installed; install Git"):
        clone(url, None, ["set"], tmp_path / "d")
