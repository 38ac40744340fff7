"""What `pomai publish` refuses, and how it knows the commit; a real run is in test_repro.py."""

import subprocess
from types import SimpleNamespace

import pytest
import yaml
from dvc.dvcfile import Lockfile
from dvc.repo import Repo

from fusion.core.errors import InputError
from pipelines.commands.publish import _check_up_to_date, publish, revision
from pipelines.compose import compose


def git(folder, *arguments):
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def settings(tmp_path, monkeypatch, request):
    root = request.config.rootpath
    compose(tmp_path / "params.yaml", ("profile=tiny", "method=[average,pomai]"), root / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_only_trained_rows_can_be_published(settings):
    with pytest.raises(
        InputError, match=r"average: is not a row that is trained here; choose from pomai"
    ):
        publish("average", settings / "new")
    content = yaml.safe_load((settings / "params.yaml").read_text())
    content["methods"]["others"] = {"kind": "precomputed", "source": "x"}
    content["methods"]["given"] = {"kind": "pomai", "source": "shared/pomai"}
    (settings / "params.yaml").write_text(yaml.safe_dump(content))
    (settings / "shared/pomai").mkdir(parents=True)
    for method in ("others", "given"):
        with pytest.raises(InputError, match=f"{method}: is not a row that is trained here"):
            publish(method, settings / "new")


def test_what_is_there_is_never_replaced(settings):
    (settings / "there").mkdir()
    (settings / "there/card.json").write_text("precious")
    with pytest.raises(InputError, match=r"there: exists; give the name of a new folder"):
        publish("pomai", settings / "there")
    with pytest.raises(InputError, match=r"params.yaml: exists"):
        publish("pomai", settings / "params.yaml")
    assert (settings / "there/card.json").read_text() == "precious"


def test_without_dvc_there_is_nothing_to_publish(settings):
    with pytest.raises(InputError, match="run from the project's root folder"):
        publish("pomai", settings / "new")


def test_the_commit_is_named_with_what_differs_from_it(tmp_path):
    git(tmp_path, "init", "-q")
    repository = Repo.init(str(tmp_path))
    for name in ("kept", "changed", "staged"):
        (tmp_path / name).write_text("first")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "state")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    assert revision(repository) == {"commit": head, "uncommitted": []}
    for name in ("changed", "staged", "new"):
        (tmp_path / name).write_text("second")
    git(tmp_path, "add", "staged")
    assert revision(repository) == {"commit": head, "uncommitted": ["changed", "new", "staged"]}


def test_without_git_there_is_no_commit(tmp_path):
    repository = Repo.init(str(tmp_path), no_scm=True)
    assert revision(repository) == {"commit": None, "uncommitted": []}


STAGES = """
stages:
  start: {cmd: cp seed start, deps: [seed], outs: [start]}
  model:
    foreach: [a, b]
    do: {cmd: "cp start model-${item}", deps: [start], outs: ["model-${item}"]}
  detect:
    matrix: {method: [a], seed: [0, 1, 2]}
    cmd: cp model-a ${key}
    deps: [model-a]
    outs: ["${key}"]
"""

SETTINGS = SimpleNamespace(measuring_stages=lambda _: [f"detect@a-{seed}" for seed in range(3)])


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A project whose stages are up to date."""
    monkeypatch.chdir(tmp_path)
    repository = Repo.init(no_scm=True)
    (tmp_path / "seed").write_text("0")
    (tmp_path / "dvc.yaml").write_text(STAGES)
    repository.reproduce()
    return tmp_path


def test_what_is_published_must_be_up_to_date_with_all_that_it_depends_on(measured):
    _check_up_to_date(Repo(), SETTINGS, "a")
    (measured / "model-b").unlink()
    _check_up_to_date(Repo(), SETTINGS, "a")
    (measured / "a-1").write_text("other")
    with pytest.raises(InputError, match=r"a: is not up to date: detect@a-1; run `dvc repro`"):
        _check_up_to_date(Repo(), SETTINGS, "a")
    (measured / "seed").write_text("1")
    with pytest.raises(InputError, match=r"a: is not up to date: (start, d|detect@a-1, s)"):
        _check_up_to_date(Repo(), SETTINGS, "a")


def test_a_stage_that_dvc_yaml_lacks_is_named(measured):
    with pytest.raises(InputError, match="model@c"):
        _check_up_to_date(Repo(), SETTINGS, "c")


def test_the_lock_is_read_once_not_for_every_stage(measured, monkeypatch):
    reads, load = [], Lockfile.load
    monkeypatch.setattr(Lockfile, "load", lambda self: reads.append(self) or load(self))
    _check_up_to_date(Repo(), SETTINGS, "a")
    assert len(reads) == 1
