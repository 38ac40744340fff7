"""`pomai compare` and `pomai show`."""

import re
import shutil

import cv2
import numpy as np
import pytest

from fusion.images.decode import read_visible, write_image
from pipelines.cli import main


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for kind in ("ir", "vi", "a", "b"):
        (tmp_path / kind).mkdir()
        for name in ("1", "2", "3"):
            write_image(
                tmp_path / f"{kind}/{name}.png", random.integers(0, 256, (32, 48), np.uint8)
            )
    return tmp_path


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["pomai", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    output = capsys.readouterr()
    code = done.value.code  # a message means 1
    return int(bool(code)), output.out + output.err + str(code or "")


COMPARE = ("compare", "--ir=ir", "--vi=vi", "--fused=mine=a", "--fused=theirs=b", "--metrics=EN,SD")


def test_any_folders_become_a_page(folders, monkeypatch, capsys):
    code, output = run(monkeypatch, capsys, *COMPARE, "--out=page", "--title=Mine & theirs")
    assert (code, output.strip()) == (0, "page/index.html")
    html = (folders / "page/index.html").read_text()
    assert "<h1>Mine &amp; theirs</h1>" in html
    assert re.findall(r'<tr data-method="(\w+)">', html) == ["mine", "theirs"]
    assert len(list((folders / "page/images").iterdir())) == 12


def test_show_prints_the_address_and_opens_it(folders, monkeypatch, capsys):
    run(monkeypatch, capsys, *COMPARE, "--out=page")
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    code, output = run(monkeypatch, capsys, "show", "page")
    assert code == 0
    assert opened == [output.strip()] == [(folders / "page/index.html").as_uri()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fused=a",), "'a' is not NAME=FOLDER; write --fused A=fused/a"),
        (("--fused=mine=b",), "names 'mine' twice"),
        (("--fused=c=nowhere",), "nowhere: is not a folder"),
        (("--metrics=XY",), "XY unknown; choose from EN"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_written(
    folders, monkeypatch, capsys, arguments, message
):
    code, output = run(monkeypatch, capsys, *COMPARE, "--out=page", *arguments)
    assert code == 1
    assert message in output
    assert not (folders / "page").exists()


def test_a_missing_image_is_named(folders, monkeypatch, capsys):
    (folders / "b/2.png").unlink()
    code, output = run(monkeypatch, capsys, *COMPARE, "--out=page")
    assert code == 1
    assert "b: lacks 1 of 3 images: 2; add them" in output


def test_a_folder_of_other_things_is_not_replaced(folders, monkeypatch, capsys):
    shutil.copytree(folders / "a", folders / "page")
    code, output = run(monkeypatch, capsys, *COMPARE, "--out=page")
    assert code == 1
    assert "exists and is not a page of pomai; give a new folder" in output
    assert len(list((folders / "page").iterdir())) == 3


def test_a_report_that_was_not_made_is_named(folders, monkeypatch, capsys):
    code, output = run(monkeypatch, capsys, "show")
    assert code == 1
    assert "results/report/index.html: is missing; run `dvc repro` (or `dvc pull`)" in output


def test_deep_infrared_is_measured_and_shown_in_its_declared_range(folders, monkeypatch, capsys):
    cv2.imwrite(str(folders / "ir/1.png"), np.full((32, 48), 4095, np.uint16))
    code, output = run(monkeypatch, capsys, *COMPARE, "--out=page")
    assert code == 0
    assert "note: infrared: dark, only 12 of 16 bits are used" in output
    code, output = run(monkeypatch, capsys, *COMPARE, "--out=page", "--ir-range", "0", "4095")
    assert code == 0
    assert "dark" not in output
    shown = [read_visible(path).pixels for path in (folders / "page/images").iterdir()]
    assert any((pixels == 255).all() for pixels in shown)
