"""Downloads over HTTP: they continue after a cut, and each failure names its remedy."""

import shutil
import socket

import pytest

from fusion.core.errors import InputError
from pipelines.download.http import fetch, require_space

CONTENT = bytes(range(256)) * 4000
PAGE = "https://example.org/set"


def test_a_cut_download_continues_where_it_stopped(server, tmp_path):
    server.files["a"] = CONTENT
    part = tmp_path / "part"
    with pytest.raises(InputError, match=r"run the same command again: it continues"):
        fetch(f"{server.url}/cut/a", part, PAGE)
    kept = part.stat().st_size
    assert 0 < kept < len(CONTENT)
    fetch(f"{server.url}/cut/a", part, PAGE)
    assert part.read_bytes() == CONTENT
    assert server.asked[-1][1] == f"bytes={kept}-"
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_file_that_changed_meanwhile_starts_again(server, tmp_path):
    server.files["a"] = CONTENT
    part = tmp_path / "part"
    with pytest.raises(InputError, match="continues"):
        fetch(f"{server.url}/cut/a", part, PAGE)
    server.files["a"] = CONTENT[::-1]
    fetch(f"{server.url}/a", part, PAGE)
    assert part.read_bytes() == CONTENT[::-1]


def test_a_server_without_versions_is_asked_for_everything(server, tmp_path):
    server.files["a"] = CONTENT
    part = tmp_path / "part"
    part.write_bytes(CONTENT[:100])
    fetch(f"{server.url}/plain/a", part, PAGE)
    assert part.read_bytes() == CONTENT
    assert server.asked[-1][1] is None


def test_a_part_longer_than_the_file_starts_again(server, tmp_path):
    server.files["a"] = CONTENT
    part = tmp_path / "part"
    part.write_bytes(CONTENT * 2)
    (tmp_path / "part.version").write_text(f'"{hash(CONTENT)}"')
    fetch(f"{server.url}/a", part, PAGE)
    assert part.read_bytes() == CONTENT


def test_a_length_that_is_no_number_does_not_count(server, tmp_path):
    server.files["a"] = CONTENT
    fetch(f"{server.url}/odd/a", tmp_path / "part", PAGE)
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "reason", "remedy"),
    [
        ("/gone", "no longer has this file", f"new address at {PAGE}"),
        ("/private", "wants a login", PAGE),
        ("/forbidden", "refuses access", PAGE),
        ("/busy", r"not available \(status 503\)", "try again later"),
        ("/closed", r"refuses \(status 499\)", f"new address at {PAGE}"),
        ("/often", "too many requests", "in some hours"),
        ("/login", "web page in place of a file", f"open {PAGE}"),
        ("/moved", "web page at http.*/login in place of a file", f"open {PAGE}"),
        ("/loop", "redirects without end", f"open {PAGE}"),
    ],
)
def test_refusals_name_their_remedy(server, tmp_path, path, reason, remedy):
    with pytest.raises(InputError, match=f"{reason}.*; .*{remedy}"):
        fetch(server.url + path, tmp_path / "part", PAGE)
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_not_there(tmp_path):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/a"
        with pytest.raises(InputError, match="cannot be reached; check the network"):
            fetch(address, tmp_path / "part", PAGE)


def test_a_full_disk(server, tmp_path):
    server.files["a"] = CONTENT
    (tmp_path / "part").symlink_to("/dev/full")
    with pytest.raises(InputError, match="the disk is full; free space, then run the same"):
        fetch(f"{server.url}/a", tmp_path / "part", PAGE)


def test_a_file_larger_than_the_free_space_is_refused_before_it_is_fetched(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    require_space(tmp_path, free // 2)
    with pytest.raises(InputError, match="GB free; free space there, or choose another folder"):
        require_space(tmp_path, free * 2)
