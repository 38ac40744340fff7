"""`pomai evaluate`, as a user runs it."""

import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from fusion.images.decode import write_image
from fusion.images.pairs import find_pairs
from fusion.metrics import CORE
from fusion.metrics.folders import evaluate_pairs
from pipelines import cli


@pytest.fixture
def folders(tmp_path):
    """Two sizes, an odd extension, fused images gray or color, a file that is no image."""
    random = np.random.default_rng(0)
    for kind in ("ir", "vi", "fused"):
        (tmp_path / kind).mkdir()
    for name, size in (("1", (45, 50)), ("2", (45, 50)), ("10", (48, 44))):
        for kind, suffix, channels in (
            ("ir", "png", ()),
            ("vi", "png", (3,)),
            ("fused", "png", () if name == "2" else (3,)),
        ):
            image = random.integers(0, 256, (*size, *channels), dtype=np.uint8)
            write_image(tmp_path / kind / f"{name}.{suffix}", image)
    (tmp_path / "vi/2.png").rename(tmp_path / "vi/2.PNG")
    (tmp_path / "fused/notes.txt").write_text("not an image")
    return tmp_path


def run(monkeypatch, capsys, folder, *options):
    """(exit code, what it printed)."""
    arguments = [f"--{name}={folder / name}" for name in ("ir", "vi", "fused")]
    monkeypatch.setattr(sys, "argv", ["pomai", "evaluate", *arguments, *options])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capsys.readouterr()
    message = stop.value.code if isinstance(stop.value.code, str) else ""
    return stop.value.code, printed.out + printed.err + message


def test_the_numbers_of_the_pipeline_as_a_table_and_a_file(monkeypatch, capsys, folders):
    code, printed = run(monkeypatch, capsys, folders, f"--out={folders / 'values.csv'}")
    assert code == 0
    expected = evaluate_pairs(find_pairs(folders / "ir", folders / "vi"), folders / "fused")
    written = pd.read_csv(folders / "values.csv", dtype={"name": str})
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)
    assert "3 images, protocol cddfuse" in printed
    for name in CORE:
        (line,) = (line for line in printed.splitlines() if line.startswith(f"│ {name} "))
        assert f" {expected[name].mean():.3f} " in line


def test_chosen_metrics(monkeypatch, capsys, folders):
    code, printed = run(monkeypatch, capsys, folders, "--metrics=Qcb,SD")
    assert code == 0
    assert "Qcb" in printed
    assert "VIF" not in printed


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (lambda f: (f / "fused/2.png").unlink(), (), "fused: lacks 2; fuse all pairs"),
        (lambda f: (f / "vi/10.png").unlink(), (), "without a partner"),
        (lambda f: (f / "ir/1.png").write_bytes(b"no"), (), "1.png: is not a readable image"),
        (lambda f: (f / "fused/1.png").write_bytes(b""), (), "1.png: is empty"),
        (
            lambda f: write_image(f / "fused/10.png", np.zeros((20, 20), np.uint8)),
            (),
            "10.png: differs in size from its pair: 20x20 and 44x48",
        ),
        (
            lambda f: write_image(f / "ir/10.png", np.zeros((20, 20), np.uint8)),
            (),
            "infrared and visible differ in size",
        ),
        (lambda _: None, ("--metrics=SD,SSMI",), "SSMI unknown; choose from EN, SD"),
        (lambda _: None, ("--out=/nowhere/x.csv",), "/nowhere: is not a folder; make it first"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(monkeypatch, capsys, folders, damage, options, message):
    damage(folders)
    code, printed = run(monkeypatch, capsys, folders, *options)
    assert code not in (0, None)
    assert message in printed


def test_infrared_with_colors_is_said(monkeypatch, capsys, folders):
    color = np.zeros((45, 50, 3), np.uint8)
    color[:, 20:] = 200, 40, 40
    write_image(folders / "ir/1.png", color)
    code, printed = run(monkeypatch, capsys, folders, "--metrics=SD")
    assert code == 0
    assert "note: infrared: in color, only its luma is used" in printed
    assert printed.count("note: ") == 1


@pytest.mark.parametrize(
    ("place", "reason"), [("", "is a folder"), ("no/x.csv", "is not a folder")]
)
def test_an_output_that_cannot_be_written_is_refused_first(
    monkeypatch, capsys, folders, place, reason
):
    (folders / "fused/1.png").write_bytes(b"measuring would end here")
    code, printed = run(monkeypatch, capsys, folders, f"--out={folders / place}")
    assert code == "error: " + str(printed.split("error: ")[1])
    assert reason in printed


def test_deep_infrared_takes_a_declared_range(monkeypatch, capsys, folders):
    cv2.imwrite(str(folders / "ir/1.png"), np.full((45, 50), 4095, np.uint16))
    code, printed = run(monkeypatch, capsys, folders, "--metrics=MSE")
    assert code == 0
    assert "note: infrared: dark, only 12 of 16 bits are used" in printed
    options = ("--metrics=MSE", "--ir-range", "0", "4095")
    code, bright = run(monkeypatch, capsys, folders, *options)
    assert code == 0
    assert "note: infrared: scaled from 0..4095" in bright
    assert "dark" not in bright
    assert "--fps: is for streams only" in run(monkeypatch, capsys, folders, "--fps=5")[1]
