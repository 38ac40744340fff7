"""Google Drive, whose addresses lead to a local server here."""

import pytest
import requests

from fusion.core.errors import InputError
from pipelines.download import drive as module
from pipelines.download.drive import fetch, find_in_folder

BY_HAND = "open the page"
QUOTA = '<p class="uc-error-subcaption">Too many users have viewed this file recently.</p>'
ENTRY = '<a href="https://drive.google.com/file/d/{}/view"><div>{}</div></a>'
FOLDER = "<title>set – Google Drive</title>" + "".join(
    ENTRY.format(f"{name[0]}-file-of-the-shared-folder", name) for name in ("a.zip", "b.zip")
)


@pytest.fixture
def drive(server, monkeypatch):
    """Requests to Drive go to the local server; `pages` are its HTML answers by file id."""
    pages = {}
    send = requests.Session.send

    def locally(session, request, **settings):
        if "drive.google.com" not in request.url:
            return send(session, request, **settings)
        asked = request.url
        key = next((key for key in pages if key in asked), None)
        if key is not None:
            response = requests.Response()
            response.status_code, response._content = 200, pages[key].encode()
            response.headers["Content-Type"] = "text/html; charset=utf-8"
            response.url, response.request = asked, request
            return response
        request.url = f"{server.url}/{asked.rpartition('id=')[2].partition('&')[0]}"
        response = send(session, request, **settings)
        response.headers["Content-Disposition"] = 'attachment; filename="set.zip"'
        return response

    monkeypatch.setattr(requests.Session, "send", locally)
    server.pages = pages
    return server


def test_a_file_by_its_id(drive, tmp_path):
    drive.files["abc"] = b"content" * 1000
    fetch("abc", tmp_path / "part", BY_HAND)
    assert (tmp_path / "part").read_bytes() == b"content" * 1000


CONTENT = bytes(range(256)) * 16000  # several of gdown's pieces: only whole ones are kept


def test_a_cut_download_continues_by_itself(drive, tmp_path):
    drive.files["abc"] = CONTENT
    fetch("cut/abc", tmp_path / "part", BY_HAND)
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert [start for _, start in drive.asked] == [None, f"bytes={3 * 2**19}-"]


def test_a_download_that_keeps_stopping_continues_when_it_is_run_again(drive, tmp_path):
    drive.files["abc"] = CONTENT
    drive.unstable = True
    with pytest.raises(
        InputError, match="stopped before the file was complete; run the same command again"
    ):
        fetch("abc", tmp_path / "part", BY_HAND)
    [partial] = tmp_path.iterdir()
    kept = partial.stat().st_size
    assert 0 < kept < len(CONTENT)
    drive.unstable = False
    fetch("abc", tmp_path / "part", BY_HAND)
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert drive.asked[-1][1] == f"bytes={kept}-"
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_file_that_changed_meanwhile(drive, tmp_path):
    (tmp_path / "part12345678.part").write_bytes(bytes(len(CONTENT)))
    drive.files["abc"] = CONTENT
    with pytest.raises(
        InputError,
        match=r"did not continue .*, or, .* remove .*part\*\.part to start from the beginning",
    ):
        fetch("abc", tmp_path / "part", BY_HAND)


def test_partial_files_of_several_attempts(drive, tmp_path):
    for name in ("part12345678.part", "partabcdefgh.part"):
        (tmp_path / name).write_bytes(b"a")
    drive.files["abc"] = CONTENT
    with pytest.raises(InputError, match=r"several partial files; keep one of .*part\*\.part"):
        fetch("abc", tmp_path / "part", BY_HAND)


def test_a_server_that_does_not_answer(drive, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", (1, 0.1))
    with pytest.raises(InputError, match="connection to Drive failed; check the network, then run"):
        fetch("silent", tmp_path / "part", BY_HAND)
    with pytest.raises(InputError, match="Drive cannot be reached; check the network"):
        find_in_folder("silent", "a.zip", BY_HAND)


def test_a_file_that_is_gone(drive, tmp_path):
    with pytest.raises(InputError, match=r"Drive refuses \(status 404\); open the page"):
        fetch("gone", tmp_path / "part", BY_HAND)


def test_too_many_downloads(drive, tmp_path):
    drive.pages["abc"] = QUOTA
    with pytest.raises(
        InputError, match=r"no more downloads today; try again tomorrow, or open the page"
    ):
        fetch("abc", tmp_path / "part", BY_HAND)


def test_a_file_that_is_not_shared(drive, tmp_path):
    drive.pages["abc"] = "<html>Sign in</html>"
    with pytest.raises(
        InputError,
        match="Drive refuses: Cannot retrieve the public link of the file; open the page",
    ):
        fetch("abc", tmp_path / "part", BY_HAND)


def test_a_file_in_a_folder(drive, tmp_path, monkeypatch):
    drive.pages["folder"] = FOLDER
    monkeypatch.chdir(tmp_path)
    assert find_in_folder("folder", "b.zip", BY_HAND) == "b-file-of-the-shared-folder"
    with pytest.raises(InputError, match=r"has 2 files \*.zip; it has a.zip, b.zip; open"):
        find_in_folder("folder", "*.zip", BY_HAND)
    with pytest.raises(InputError, match=r"has 0 files c.zip; it has a.zip, b.zip"):
        find_in_folder("folder", "c.zip", BY_HAND)
    assert not list(tmp_path.iterdir())


def test_two_files_of_one_name_are_told_apart(drive):
    twice = "".join(ENTRY.format(f"{i}-file-of-the-shared-folder", "a.zip") for i in "12")
    drive.pages["folder"] = f"<title>set – Google Drive</title>{twice}"
    with pytest.raises(InputError, match=r"has 2 files a.zip; it has a.zip, a.zip; open the"):
        find_in_folder("folder", "a.zip", BY_HAND)
