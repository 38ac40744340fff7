"""Folders of a Git repository."""

import socket
import subprocess
import time

import pytest

from fusion.core.errors import InputError
from pipelines.download import clone as module
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


@pytest.fixture
def direct(monkeypatch):
    """Git asks the named server itself, and nobody for a password."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(port):
    for _ in range(500):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)


@pytest.fixture
def daemon(repository, tmp_path):
    """The repository at a git:// address."""
    port = free_port()
    where = ["--listen=127.0.0.1", f"--port={port}", f"--base-path={tmp_path}"]
    server = subprocess.Popen(["git", "daemon", "--export-all", "--reuseaddr", *where])
    wait_for(port)
    yield f"git://127.0.0.1:{port}/repository"
    server.terminate()
    server.wait()


def test_a_repository_on_a_server(repository, daemon, direct, tmp_path):
    _, first, latest = repository
    assert clone(daemon, None, ["set"], tmp_path / "out") == latest
    assert clone(daemon, first, ["set"], tmp_path / "out") == first
    assert (tmp_path / "out/set/a.png").read_text() == "first"
    assert not (tmp_path / "out/other").exists()
    with pytest.raises(InputError, match="no longer has the commit that was asked for"):
        clone(daemon, "0" * 40, ["set"], tmp_path / "out")


def test_servers_that_cannot_be_reached(direct, tmp_path):
    for number, address in enumerate(
        (
            f"http://127.0.0.1:{free_port()}/set",
            f"git://127.0.0.1:{free_port()}/set",
            "https://nowhere.invalid/set",
        )
    ):
        with pytest.raises(InputError, match=f"{address}: cannot be reached; check the network"):
            clone(address, None, ["set"], tmp_path / str(number))


def test_a_repository_that_wants_a_login(server, direct, tmp_path):
    with pytest.raises(InputError, match="is gone, or wants a login; open it in a browser"):
        clone(f"{server.url}/locked/set", None, ["set"], tmp_path / "out")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "error: unable to write file set/a.png: No space left on device\nfatal: failed",
            "the disk is full; free space",
        ),
        (
            "error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly\nfatal: early EOF",
            "the connection ended before everything was there; run the same command again",
        ),
        ("fatal: the remote end hung up unexpectedly", "the connection ended before everything"),
        ("fatal: something else\n", "Git failed: fatal: something else; correct this"),
        ("", "Git failed: no message"),
    ],
)
def test_words_of_git(said, expected):
    assert expected in str(module._worded("https://example.org/set", said))
