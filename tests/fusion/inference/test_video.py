"""Streams of frames in, a fused video out."""

import cv2
import numpy as np
import pytest

from fusion.core.errors import InputError
from fusion.images.decode import read_visible, write_image
from fusion.inference.pretrained import Fuser
from fusion.inference.video import (
    check_output,
    check_streams,
    encoded_size,
    fuse_streams,
    open_stream,
)
from fusion.methods.average import Average

FUSE = Fuser(Average(Average.config_class()))
LEVELS = [(20 * k, 30 + 10 * k) for k in range(12)]  # of infrared and visible, frame by frame


def write_video(path, frames, rate=12.5, codec="MJPG"):
    """Frames are RGB, H×W×3."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return frames, capture.get(cv2.CAP_PROP_FPS)


def flat(level, height=32, width=48):
    return np.full((height, width, 3), level, np.uint8)


@pytest.fixture
def videos(tmp_path):
    """Two videos, infrared and visible, of 12 frames that all differ in brightness."""
    return [
        write_video(tmp_path / name, [flat(levels[kind]) for levels in LEVELS])
        for kind, name in enumerate(["ir.avi", "vi.avi"])
    ]


@pytest.fixture
def folders(tmp_path):
    """The same as folders of frames that are numbered without leading zeros."""
    for kind, name in enumerate(["ir", "vi"]):
        (tmp_path / name).mkdir()
        for number, levels in enumerate(LEVELS, start=1):
            image = flat(levels[kind])
            write_image(tmp_path / name / f"f{number}.png", image if kind else image[..., 0])
    return [tmp_path / "ir", tmp_path / "vi"]


def fuse(infrared, visible, output, rate=25.0, **options):
    streams = open_stream(infrared), open_stream(visible)
    check_streams(*streams)
    fuse_streams(FUSE, *streams, output, rate=rate, stretched=False, **options)
    return read_video(output)


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
@pytest.mark.parametrize("kinds", ["videos", "folders", "mixed"])
def test_every_frame_is_fused_with_its_partner(videos, folders, tmp_path, kinds, suffix):
    infrared, visible = {
        "videos": videos,
        "folders": folders,
        "mixed": (videos[0], folders[1]),
    }[kinds]
    frames, rate = fuse(infrared, visible, tmp_path / f"fused.{suffix}")
    assert rate == 25
    means = [frame.mean() for frame in frames]
    np.testing.assert_allclose(means, [sum(levels) / 2 for levels in LEVELS], atol=6)
    assert {frame.shape for frame in frames} == {(32, 48, 3)}


def test_colours_survive(tmp_path):
    visible = flat(40)
    visible[:, 24:, 0] = 200  # red on the right
    fused, _ = fuse(
        write_video(tmp_path / "ir.avi", [flat(60)] * 2),
        write_video(tmp_path / "vi.avi", [visible] * 2),
        tmp_path / "fused.mp4",
    )
    red, green, blue = (fused[0][8:24, 32:40, channel].mean() for channel in range(3))
    assert red > green + 100
    assert abs(green - blue) < 15


def test_a_stream_knows_its_frames_size_and_rate(videos, folders):
    video, folder = open_stream(videos[0]), open_stream(folders[0])
    assert (video.count, video.size, video.rate) == (12, (32, 48), 12.5)
    assert (folder.count, folder.size, folder.rate) == (12, (32, 48), None)
    assert next(video.infrared()).shape == (32, 48)
    assert next(video.visible()).shape == (32, 48, 3)


def test_streams_that_do_not_belong_together_are_refused(videos, tmp_path):
    short = write_video(tmp_path / "short.avi", [flat(9)] * 3)
    with pytest.raises(InputError, match=r"ir\.avi: has 12 frames and .*short\.avi has 3"):
        check_streams(open_stream(videos[0]), open_stream(short))
    large = write_video(tmp_path / "large.avi", [flat(9, 64, 80)] * 12)
    with pytest.raises(InputError, match=r"ir\.avi: shows 48x32 and .*large\.avi 80x64"):
        check_streams(open_stream(videos[0]), open_stream(large))


def test_what_is_no_stream_is_refused(tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"notes\.mp4: is no video that can be decoded"):
        open_stream(tmp_path / "notes.mp4")
    write_image(tmp_path / "image.png", flat(9))
    with pytest.raises(InputError, match=r"image\.png: is a single image; give a video"):
        open_stream(tmp_path / "image.png")
    with pytest.raises(InputError, match=r"gone\.mp4: does not exist"):
        open_stream(tmp_path / "gone.mp4")
    with pytest.raises(InputError, match=r"small\.avi: is only 48x8"):
        open_stream(write_video(tmp_path / "small.avi", [flat(9, 8)] * 2))


def test_what_is_no_output_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.mkv: .*ends in \.mp4 or \.avi"):
        check_output(tmp_path / "a.mkv")
    with pytest.raises(InputError, match="nowhere: is not a folder"):
        check_output(tmp_path / "nowhere" / "a.mp4")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InputError, match=r"folder\.mp4: is a folder; give --out a file's name"):
        check_output(tmp_path / "folder.mp4")
    with pytest.raises(InputError, match=r"vi\.mp4: is a source and would be overwritten"):
        check_output(tmp_path / "vi.mp4", [tmp_path / "folder.mp4" / ".." / "vi.mp4"])


def test_a_failure_keeps_the_old_video_and_leaves_nothing_else(folders, tmp_path):
    """Frames are read one by one: those before the bad one are fused by then."""
    output, done = tmp_path / "fused.mp4", []
    output.write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    write_image(folders[1] / "f9.png", flat(9, 40, 48))
    with pytest.raises(InputError, match=r"f9\.png: has a frame of 48x40 after others of 48x32"):
        fuse(*folders, output, on_frame=lambda: done.append(1))
    assert len(done) == 8
    assert output.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == before


def test_a_rate_that_the_encoder_refuses(videos, tmp_path, capfd):
    with pytest.raises(InputError, match=r"fused\.mp4: cannot be written: no mp4v encoder"):
        fuse(*videos, tmp_path / "fused.mp4", rate=1e9)
    assert not (tmp_path / "fused.mp4").exists()


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_odd_sizes_lose_their_last_row_and_column(folders, tmp_path, suffix):
    for folder in folders:
        for path in folder.iterdir():
            write_image(path, read_visible(path).pixels[:31, :47])
    frames, _ = fuse(*folders, tmp_path / f"fused.{suffix}")
    assert frames[0].shape == (*encoded_size((31, 47)), 3) == (30, 46, 3)


def test_deep_infrared_frames_take_a_declared_range(folders):
    for path in folders[0].iterdir():
        cv2.imwrite(str(path), np.full((32, 48), 8000, np.uint16))
    assert next(open_stream(folders[0]).infrared((7000, 9000)))[0, 0] == 128


def test_a_video_takes_no_declared_range(videos, folders, tmp_path):
    with pytest.raises(InputError, match=r"ir\.avi: is a video, and its frames of 8 bits take no"):
        fuse(videos[0], folders[1], tmp_path / "fused.mp4", infrared_range=(0, 4095))


def test_a_folder_that_vanishes_is_an_input_error(folders, tmp_path):
    with pytest.raises(InputError, match=r"fused\.mp4: cannot be written \(No such file"):
        fuse(*folders, tmp_path / "gone" / "fused.mp4")
