"""What `pomai publish` refuses, and how it knows the commit; a real run is in test_repro.py."""

import subprocess

import pytest
import yaml
from dvc.repo import Repo

from fusion.core.errors import InputError
from pipelines.commands.publish import publish, revision
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
