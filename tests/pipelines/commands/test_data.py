"""`pomai data`, as a user runs it."""

import sys
from pathlib import Path

import pytest

from fusion.images.decode import image_size
from pipelines import cli
from pipelines.download.registry import sets_of
from tests.pipelines import standins


@pytest.fixture
def run(monkeypatch, capsys):
    def once(*arguments):
        monkeypatch.setattr(sys, "argv", ["pomai", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        return stop.value.code, f"{printed.out}{printed.err}"

    return once


@pytest.fixture
def tno(tmp_path):
    """A complete copy of TNO's 25 pairs, without pictures."""
    for kind in ("ir", "vi"):
        (tmp_path / "TNO" / kind).mkdir(parents=True)
        for number in range(25):
            (tmp_path / "TNO" / kind / f"{number}.png").write_bytes(b"a")
    return tmp_path / "TNO"


def test_list_names_terms_and_origin_of_every_set(run):
    code, printed = run("list")
    assert not code
    assert all(
        printed.count(f"\n  {word} ") == 13 for word in ("terms", "cite", "fetched", "checksum")
    )
    assert run("list", "llvip")[1].startswith("llvip: LLVIP")
    assert "non-commercial" in run("list", "llvip")[1]
    assert "checksum git:40de058" in run("list", "harvard_ct")[1]
    assert "profile  medical, paper" in run("list", "harvard_ct")[1]
    assert "mirror   Baidu" in run("list", "fmb")[1]


def test_a_complete_copy_is_not_fetched_again(run, tno):
    code, printed = run("get", "tno", "--into", tno.parent)
    assert not code
    assert "cite     Toet" in printed
    assert "is there already with all its files; their content is not verified" in printed
    lacking = ("msrs", "m3fd", "m3fd_fusion", "roadscene", "harvard_ct", "harvard_spect")
    assert "profile paper needs 7 more:\n" in printed
    for name in lacking:
        assert f"\n  uv run pomai data get {name} --into {tno.parent}\n" in printed
    assert f"use it: FUSION_DATA={tno.parent} uv run dvc exp run -S profile=paper" in printed


def test_a_profile_with_all_its_sets_needs_no_more(run, tno, monkeypatch):
    (tno.parent / "data").mkdir()
    monkeypatch.chdir(tno.parent)
    for known in sets_of("paper").values():
        Path("data/raw", known.folder).mkdir(parents=True)
    Path("data/raw/TNO").rmdir()
    tno.rename("data/raw/TNO")
    assert run("get", "tno")[1].endswith("\nuse it: uv run dvc exp run -S profile=paper\n")


def test_check_counts_what_is_missing(run, tno):
    (tno / "ir/3.png").unlink()
    assert "ir has 24 of 25 files" in run("check", tno, "--set", "tno")[0]


def test_check_refuses_a_set_whose_files_are_not_listed(run, tmp_path):
    code, _ = run("check", tmp_path, "--set", "tno_complete")
    assert "cannot be checked: the files of a complete tno_complete are not listed" in code


def test_check_writes_a_contact_sheet(run, tmp_path):
    standins.pairs(tmp_path, "TNO", 25)
    code, printed = run("check", tmp_path / "TNO", "--sheet", tmp_path / "a.png", "--pictures", 3)
    assert not code
    assert "TNO: a complete tno, ir (25), vi (25)\n25 test pairs, day and night unknown" in printed
    assert image_size(tmp_path / "a.png") == (3 * (256 + 18 + 4), 2 * 320 + 4)
