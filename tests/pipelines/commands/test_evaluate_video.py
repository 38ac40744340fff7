"""`pomai evaluate --video`, as a user runs it."""

import sys

import numpy as np
import pandas as pd
import pytest

from fusion.images.decode import write_image
from pipelines import cli


@pytest.fixture
def folder(tmp_path):
    """Four frames: the sources brighten by 5 levels a frame, the fused ones by 5, 5 and 11."""
    for kind, levels in {
        "ir": (10, 15, 20, 25),
        "vi": (40, 45, 50, 55),
        "fused": (30, 35, 40, 51),
    }.items():
        (tmp_path / kind).mkdir()
        for number, level in enumerate(levels):
            write_image(tmp_path / kind / f"{number}.png", np.full((32, 48), level, np.uint8))
    return tmp_path


def run(monkeypatch, capsys, folder, *options):
    paths = [f"--{name}={folder / name}" for name in ("ir", "vi", "fused")]
    monkeypatch.setattr(sys, "argv", ["pomai", "evaluate", *paths, *options])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, capsys.readouterr().out


def test_flicker_is_printed_and_written_frame_by_frame(monkeypatch, capsys, folder):
    out = folder / "values.csv"
    code, printed = run(monkeypatch, capsys, folder, "--video", f"--out={out}")
    assert code == 0
    assert "4 frames" in printed
    assert "flicker: 2.000" in printed
    table = pd.read_csv(out)
    assert table["frame"].tolist() == [1, 2, 3]
    assert table["flicker"].tolist() == [0, 0, 6]


def test_a_fused_video_may_lack_an_odd_last_row_and_nothing_else(monkeypatch, capsys, folder):
    for kind in ("ir", "vi"):
        for number in range(4):
            write_image(folder / kind / f"{number}.png", np.full((33, 48), 9, np.uint8))
    assert run(monkeypatch, capsys, folder, "--video")[0] == 0
    for number in range(4):
        write_image(folder / "vi" / f"{number}.png", np.full((40, 48), 9, np.uint8))
    code, _ = run(monkeypatch, capsys, folder, "--video")
    assert "shows 48x32 and" in code
    assert "give the sources that it was fused from" in code


def test_other_numbers_of_frames_are_refused(monkeypatch, capsys, folder):
    (folder / "vi/3.png").unlink()
    code, _ = run(monkeypatch, capsys, folder, "--video")
    assert "has 4 frames and" in code
    assert (
        "--ir-range: is for --video only"
        in run(monkeypatch, capsys, folder, "--ir-range", "0", "9")[0]
    )
