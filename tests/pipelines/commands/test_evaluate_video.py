"""`pomai evaluate --video`, as a user runs it."""

import sys

import cv2
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
    for kind in ("ir", "vi"):
        for number in range(4):
            write_image(folder / kind / f"{number}.png", np.full((40, 48), 9, np.uint8))
    code, _ = run(monkeypatch, capsys, folder, "--video")
    assert "shows 48x32 and" in code
    assert "give the sources that it was fused from" in code


def test_other_numbers_of_frames_are_refused(monkeypatch, capsys, folder):
    (folder / "vi/3.png").unlink()
    code, _ = run(monkeypatch, capsys, folder, "--video")
    assert "has 4 frames and" in code


def test_frames_are_compared_with_those_that_they_were_fused_from(monkeypatch, capsys, tmp_path):
    """Infrared has 5 frames a second and visible 10: each infrared frame belongs to two."""
    for name, rate, levels in (("ir", 5, (20, 60, 100)), ("vi", 10, (20, 20, 60, 60, 100, 100))):
        video = cv2.VideoWriter(
            str(tmp_path / f"{name}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), rate, (48, 32)
        )
        for level in levels:
            video.write(np.full((32, 48, 3), level, np.uint8))
        video.release()
    (tmp_path / "fused").mkdir()
    for number, level in enumerate((20, 20, 60, 60, 100, 100)):
        write_image(tmp_path / "fused" / f"{number}.png", np.full((32, 48), level, np.uint8))
    paths = [f"--ir={tmp_path / 'ir.avi'}", f"--vi={tmp_path / 'vi.avi'}"]
    arguments = ["pomai", "evaluate", *paths, f"--fused={tmp_path / 'fused'}", "--video"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert "6 frames" in printed
    assert float(printed.split("flicker: ")[1].split()[0]) < 1.5


def test_a_damaged_fused_video_is_noted_and_deep_frames_too(monkeypatch, capsys, folder):
    path = folder / "fused.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (48, 32))
    for level in (30, 35, 40, 51):
        video.write(np.full((32, 48, 3), level, np.uint8))
    video.release()
    frames = path.read_bytes().split(b"\xff\xd8")
    frames[4] = bytes(len(frames[4]))  # no longer a picture
    path.write_bytes(b"\xff\xd8".join(frames[:4]) + b"\0\0" + frames[4])
    cv2.imwrite(str(folder / "ir/0.png"), np.full((32, 48), 1000, np.uint16))
    options = ("--video", f"--fused={path}")
    code, printed = run(monkeypatch, capsys, folder, *options)
    assert code == 0
    assert "3 frames, mean" in printed
    assert "fused.avi ends early, after frame 3" in printed
    assert "note: only 3 of 4 frames could be read" in printed
    assert "note: dark, only 10 of 16 bits are used" in printed


def test_videos_that_were_fused_frame_by_frame_are_measured_so(monkeypatch, capsys, folder):
    for name, rate in (("ir", 5), ("vi", 30)):
        video = cv2.VideoWriter(
            str(folder / f"{name}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), rate, (48, 32)
        )
        for level in (30, 35, 40, 51):
            video.write(np.full((32, 48, 3), level, np.uint8))
        video.release()
    options = ("--video", f"--ir={folder / 'ir.avi'}", f"--vi={folder / 'vi.avi'}")
    assert "or give --fps" in run(monkeypatch, capsys, folder, *options)[0]
    code, printed = run(monkeypatch, capsys, folder, *options, "--fps=10")
    assert (code, "4 frames, mean" in printed) == (0, True)
