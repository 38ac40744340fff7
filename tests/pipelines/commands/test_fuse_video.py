"""`pomai fuse --video`, as a user runs it."""

import sys

import cv2
import numpy as np
import pytest

from fusion.images.decode import write_image
from pipelines import cli

FRAMES, HEIGHT, WIDTH = 3, 21, 32


@pytest.fixture
def folder(tmp_path):
    """Frames as folders, infrared of 12 bits, and as videos."""
    random = np.random.default_rng(0)
    (tmp_path / "ir").mkdir()
    (tmp_path / "vi").mkdir()
    code, size = cv2.VideoWriter.fourcc(*"MJPG"), (WIDTH, HEIGHT - 1)
    videos = [
        cv2.VideoWriter(str(tmp_path / f"{kind}.avi"), code, 10, size) for kind in ("ir", "vi")
    ]
    for number in range(FRAMES):
        deep = random.integers(0, 4096, (HEIGHT, WIDTH), dtype=np.uint16)
        visible = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"ir/{number}.png"), deep)
        write_image(tmp_path / f"vi/{number}.png", visible)
        for video in videos:
            video.write(visible[:-1])
    for video in videos:
        video.release()
    return tmp_path


def run(monkeypatch, capsys, folder, ir, vi, out, *options):
    paths = [f"--{name}={folder / path}" for name, path in (("ir", ir), ("vi", vi), ("out", out))]
    monkeypatch.setattr(sys, "argv", ["pomai", "fuse", "--video", *paths, *options])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, capsys.readouterr().out


def facts(path):
    """Frames, rate, height and width of a video."""
    video = cv2.VideoCapture(str(path))
    names = ("FRAME_COUNT", "FPS", "FRAME_HEIGHT", "FRAME_WIDTH")
    return tuple(video.get(getattr(cv2, f"CAP_PROP_{name}")) for name in names)


def test_videos_keep_the_visible_rate_and_are_not_redone(monkeypatch, capsys, folder):
    paths = ("ir.avi", "vi.avi", "fused.mp4")
    code, printed = run(monkeypatch, capsys, folder, *paths)
    assert (code, "3 frames fused" in printed) == (0, True)
    assert facts(folder / "fused.mp4") == (FRAMES, 10, HEIGHT - 1, WIDTH)
    (folder / "fused.mp4").write_bytes(b"kept")
    code, printed = run(monkeypatch, capsys, folder, *paths)
    assert (code, "already there" in printed) == (0, True)
    assert (folder / "fused.mp4").read_bytes() == b"kept"
    run(monkeypatch, capsys, folder, *paths, "--overwrite", "--fps=20")
    assert facts(folder / "fused.mp4") == (FRAMES, 20, HEIGHT - 1, WIDTH)


def test_folders_of_frames_with_a_rate_and_a_range(monkeypatch, capsys, folder):
    code, printed = run(monkeypatch, capsys, folder, "ir", "vi", "fused.avi", "--fps=5")
    assert code == 0
    assert "note: dark, only 12 of 16 bits are used" in printed
    assert f"fused.avi shows {WIDTH}x{HEIGHT - 1} of {WIDTH}x{HEIGHT} pixels" in printed
    assert facts(folder / "fused.avi") == (FRAMES, 5, HEIGHT - 1, WIDTH)
    options = ("--fps=5", "--ir-range", "0", "4095")
    code, printed = run(monkeypatch, capsys, folder, "ir", "vi", "bright.avi", *options)
    assert "note: scaled from 0..4095" in printed
    dark, bright = (
        cv2.VideoCapture(str(folder / name)).read()[1].astype(int)
        for name in ("fused.avi", "bright.avi")
    )
    assert np.abs(bright - dark).mean() > 10


@pytest.mark.parametrize(
    ("paths", "options", "message"),
    [
        (("ir", "vi", "out.mp4"), (), "vi: has no frame rate; give --fps"),
        (("ir.avi", "vi.avi", "out.mp4"), ("--ir-range", "0", "9"), "have no declared range"),
        (("ir", "vi", "vi"), (), "vi: is a folder; give --out a file's name"),
        (("ir.avi", "vi.avi", "vi.avi"), ("--overwrite",), "vi.avi: is a source"),
        (("ir", "vi.avi", "out.mp4"), (), "ir: shows 32x21 and"),
    ],
)
def test_what_is_refused(monkeypatch, capsys, folder, paths, options, message):
    code, _ = run(monkeypatch, capsys, folder, *paths, *options)
    assert message in code
