"""Sources of data sets and rows: there, and found by experiments in a copy of the repository."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusion.core.errors import InputError
from pipelines.sources import local_sources, require_sources


def settings(*paths):
    """Of `params.yaml`, what the functions read: a data set for each path."""
    datasets = {f"set{number}": SimpleNamespace(source=path) for number, path in enumerate(paths)}
    return SimpleNamespace(
        datasets=datasets,
        fuse_on=list(datasets),
        train_on=[],
        methods={},
        given_paths=lambda: [(f"datasets.{name}.source", s.source) for name, s in datasets.items()],
    )


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    for name in ("tracked", "added", "ignored", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / "added.dvc").touch()
    subprocess.run(["git", "add", "tracked"], check=True)
    return tmp_path


def test_only_what_a_copy_of_the_repository_lacks_is_local(repository):
    given = settings("tracked", "added", "ignored", "data/sample/MSRS", str(repository / "outside"))
    assert list(local_sources(given)) == ["datasets.set2.source (ignored)"]


def test_a_missing_source_is_refused_with_its_key(repository):
    require_sources(settings("ignored", "data/sample/MSRS", "added"))
    with pytest.raises(InputError, match=r"nope: is not a folder, and datasets\.set0 is read from"):
        require_sources(settings("nope"))


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("data/raw/M3FD_Detection", r"\(`pomai data get m3fd`\), or correct `source`"),
        ("/data/Harvard/MRI_CT", r"\(`pomai data get harvard_ct --into /data`\), or correct"),
        ("/data/MRI_CT", "read from it; correct `source`"),
    ],
)
def test_a_known_data_set_that_is_missing_is_to_be_fetched(repository, source, remedy):
    with pytest.raises(InputError, match=remedy):
        require_sources(settings(source))


def test_in_a_copy_the_remedy_is_an_absolute_path(repository, monkeypatch):
    copy = repository / ".dvc/tmp/exps/tmp1"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    with pytest.raises(InputError, match="in a copy of the repository: give its absolute path"):
        require_sources(settings("ignored"))
    with pytest.raises(InputError, match="correct `source`"):
        require_sources(settings(str(Path("/nowhere"))))
