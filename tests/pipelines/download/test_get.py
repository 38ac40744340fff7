"""Fetching whole data sets from local servers, and the record of what arrived."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fusion.core.errors import InputError
from pipelines.download.get import Outcome, get
from pipelines.download.registry import KnownSet, known_set, known_sets
from pipelines.download.verify import recognize, require_complete

FILES = {f"wrapped/{kind}/{i}.png": f"{kind}{i}".encode() for kind in ("ir", "vi") for i in "12"}


def known(origin, **facts):
    given = {
        "title": "a set",
        "pairs": "2",
        "labels": "none",
        "size": "4 bytes",
        "terms": "none stated",
        "citation": "nobody",
        "page": "https://example.org/set",
        "folder": "Street",
        "holds": {"ir": 2, "vi": 2},
    }
    return KnownSet.model_validate({**given, **facts, "origin": origin})


def web(server, content, path="set.zip", checksum=None):
    server.files["set.zip"] = content
    url = f"{server.url}/{path}"
    return {"kind": "http", "url": url, "file": "set.zip", "checksum": checksum}


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_fetched_once_and_then_verified(server, zipped, tmp_path):
    content = zipped(FILES)
    street = known(web(server, content, checksum=sha256(content)))
    assert get("street", street, tmp_path) == (tmp_path / "Street", Outcome.FETCHED)
    assert (tmp_path / "Street/ir/1.png").read_bytes() == b"ir1"
    assert json.loads((tmp_path / "street.lock").read_text())["version"] == sha256(content)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Street", "street.lock"]
    requests = len(server.asked)
    assert get("street", street, tmp_path) == (tmp_path / "Street", Outcome.VERIFIED)
    assert len(server.asked) == requests


def test_a_cut_download_continues(server, zipped, tmp_path):
    content = zipped({**FILES, "wrapped/more": bytes(10**6)})
    street = known(web(server, content, "cut/set.zip", sha256(content)))
    with pytest.raises(InputError, match="continues where it stopped"):
        get("street", street, tmp_path)
    assert not (tmp_path / "Street").exists()
    assert get("street", street, tmp_path)[1] == Outcome.FETCHED
    assert server.asked[-1][1]


def test_another_checksum(server, zipped, tmp_path):
    content = zipped(FILES)
    street = known(web(server, content, checksum=sha256(b"published")))
    with pytest.raises(InputError, match=r"not the one with checksum .*--accept"):
        get("street", street, tmp_path)
    assert not (tmp_path / "Street").exists()
    get("street", street, tmp_path, accept=True)
    assert json.loads((tmp_path / "street.lock").read_text())["version"] == sha256(content)


def test_the_first_fetch_decides_where_nothing_is_published(server, zipped, tmp_path):
    street = known(web(server, zipped(FILES)))
    get("street", street, tmp_path)
    (tmp_path / "Street").rename(tmp_path / "away")
    server.files["set.zip"] = zipped({**FILES, "wrapped/ir/1.png": b"new"})
    with pytest.raises(InputError, match="not the one with checksum"):
        get("street", street, tmp_path)


def test_a_repository_at_a_known_commit_or_at_the_latest(tmp_path):
    repository = tmp_path / "repository"
    for kind in ("ir", "vi"):
        (repository / "set" / kind).mkdir(parents=True)
        for name in ("1.png", "2.png"):
            (repository / "set" / kind / name).write_text(kind)
    for command in (
        "init -q",
        "add .",
        "-c user.name=a -c user.email=a@b commit -qm a",
        "config uploadpack.allowFilter true",
    ):
        subprocess.run(["git", *command.split()], cwd=repository, check=True)
    origin = {"kind": "git", "url": repository.as_uri(), "paths": ["set"], "commit": "0" * 40}
    with pytest.raises(InputError, match=r"no longer has the commit .*; --accept the latest"):
        get("street", known(origin), tmp_path / "raw")
    assert get("street", known(origin), tmp_path / "raw", accept=True)[1] == Outcome.RECORDED
    assert (tmp_path / "raw/Street/ir/1.png").read_text() == "ir"
    shutil.rmtree(tmp_path / "raw/Street")
    outcome = get("street", known(origin), tmp_path / "raw")[1]
    assert outcome == Outcome.FETCHED, "the recorded commit comes again"


def test_a_copy_that_is_incomplete_or_changed(server, zipped, tmp_path):
    street = known(web(server, zipped(FILES)))
    get("street", street, tmp_path)
    (tmp_path / "Street/vi/1.png").write_bytes(b"other")
    with pytest.raises(InputError, match="has changed since it was fetched; move it away"):
        get("street", street, tmp_path)
    (tmp_path / "Street/vi/1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"not a complete street: vi has 1 of 2 files; .*ir \(2\)"):
        get("street", street, tmp_path)


def test_an_archive_of_something_else(server, zipped, tmp_path):
    street = known(web(server, zipped({"readme.txt": b"a"})))
    with pytest.raises(
        InputError, match=r"not a complete street: ir has 0 of 2 files.*: it fetches"
    ):
        get("street", street, tmp_path)
    assert not (tmp_path / "Street").exists()
    server.files["set.zip"] = zipped(FILES)
    assert get("street", street, tmp_path)[1] == Outcome.RECORDED


def test_a_damaged_archive_is_fetched_anew(server, zipped, tmp_path):
    street = known(web(server, b"no archive"))
    for accept in (False, True):
        with pytest.raises(InputError, match=r"set\.zip: .*is not a zip .*; run the command again"):
            get("street", street, tmp_path, accept=accept)
    server.files["set.zip"] = zipped(FILES)
    assert get("street", street, tmp_path)[1] == Outcome.RECORDED


def test_an_archive_with_the_published_checksum_is_not_fetched_twice(server, zipped, tmp_path):
    content = zipped({"readme.txt": b"a"})
    street = known(web(server, content, checksum=sha256(content)))
    for _ in range(2):
        with pytest.raises(InputError, match=r"not a complete street.*; compare with https://"):
            get("street", street, tmp_path)
    assert len(server.asked) == 1


def test_a_copy_without_a_record_is_only_counted(server, zipped, tmp_path):
    for name, content in FILES.items():
        place = tmp_path / "Street" / name.removeprefix("wrapped/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    street = known(web(server, zipped(FILES)))
    assert get("street", street, tmp_path) == (tmp_path / "Street", Outcome.COUNTED)
    assert not server.asked
    unlisted = known(web(server, zipped(FILES)), holds={})
    with pytest.raises(InputError, match="cannot be checked: the files of a complete street"):
        get("street", unlisted, tmp_path)
    shutil.rmtree(tmp_path / "Street")
    assert get("street", unlisted, tmp_path)[1] == Outcome.RECORDED
    assert get("street", unlisted, tmp_path)[1] == Outcome.VERIFIED


def test_a_set_in_its_place_always_has_a_record(server, zipped, tmp_path, monkeypatch):
    """Also where the program is stopped at the last moment."""
    street = known(web(server, zipped(FILES)))
    rename = Path.rename

    def stopped(path, target):
        rename(path, target)
        if Path(target).name == "Street":
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        get("street", street, tmp_path)
    assert get("street", street, tmp_path)[1] == Outcome.VERIFIED


def test_files_of_the_system_and_the_list_of_night_pairs_are_no_change(server, zipped, tmp_path):
    street = known(web(server, zipped(FILES)))
    get("street", street, tmp_path)
    for added in (".DS_Store", "ir/._1.png", "night.txt", ".cache/1"):
        (tmp_path / "Street" / added).parent.mkdir(exist_ok=True)
        (tmp_path / "Street" / added).write_text("1")
    assert get("street", street, tmp_path)[1] == Outcome.VERIFIED


def test_what_no_program_can_fetch_names_address_and_layout(tmp_path):
    street = known({"kind": "manual", "how": "its authors send it after a form"})
    wanted = (
        r"after a form; open https://example.org/set, .* folder .*raw/Street with ir \(2\), "
        r"vi \(2\), and run `pomai data check .*raw/Street`"
    )
    with pytest.raises(InputError, match=wanted):
        get("street", street, tmp_path / "raw")


def test_a_damaged_record(server, zipped, tmp_path):
    (tmp_path / "street.lock").write_text("{}")
    with pytest.raises(InputError, match="is not a record of a fetched data set; remove it"):
        get("street", known(web(server, zipped(FILES))), tmp_path)


def test_the_registry_is_valid_and_names_what_it_lacks():
    assert {"msrs", "m3fd", "roadscene", "tno", "llvip", "fmb", "mfnet"} < known_sets().keys()
    for facts in known_sets().values():
        assert facts.page.startswith("http")
        assert facts.terms
    with pytest.raises(InputError, match="is not a known data set; choose from msrs, m3fd"):
        known_set("kitti")


def test_a_folder_tells_which_set_it_is(tmp_path):
    for place in ("Ir", "Vis", "Annotation"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "00000.png").write_bytes(b"a")
    assert recognize(tmp_path, known_sets()) == "m3fd"
    with pytest.raises(InputError, match="Ir has 1 of 4200 files"):
        require_complete("m3fd", known_set("m3fd"), tmp_path)
    with pytest.raises(InputError, match="has the folders of no known data set"):
        recognize(tmp_path / "Ir", known_sets())
