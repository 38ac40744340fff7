"""Streams of frames in, a fused video out."""

import tracemalloc
import weakref
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from fusion.core.errors import InputError
from fusion.images.decode import COLORED_INFRARED, read_visible, write_image
from fusion.inference.matching import match_streams
from fusion.inference.pretrained import Fuser
from fusion.inference.streams import Stream, open_stream
from fusion.inference.video import check_output, encoded_size, fuse_streams
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
    match = match_streams(*streams, rate)
    fuse_streams(FUSE, *streams, match, output, stretched=False, **options)
    return read_video(output)


@pytest.mark.parametrize("suffix", ["mp4", "avi", "webm", "mkv"])
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


def test_colors_survive(tmp_path):
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
        match_streams(open_stream(videos[0]), open_stream(short))
    large = write_video(tmp_path / "large.avi", [flat(9, 64, 80)] * 12)
    with pytest.raises(InputError, match=r"ir\.avi: shows 48x32 and .*large\.avi 80x64"):
        match_streams(open_stream(videos[0]), open_stream(large))


def test_what_is_no_stream_is_refused(tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"notes\.mp4: is not a video that can be decoded"):
        open_stream(tmp_path / "notes.mp4")
    write_image(tmp_path / "image.png", flat(9))
    with pytest.raises(InputError, match=r"image\.png: is a single image; give a video"):
        open_stream(tmp_path / "image.png")
    with pytest.raises(InputError, match=r"gone\.mp4: does not exist"):
        open_stream(tmp_path / "gone.mp4")
    with pytest.raises(InputError, match=r"small\.avi: is only 48x8"):
        open_stream(write_video(tmp_path / "small.avi", [flat(9, 8)] * 2))


def test_what_is_no_output_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.gif: .*ends in \.mp4, \.mkv, \.webm or \.avi"):
        check_output(tmp_path / "a.gif")
    with pytest.raises(InputError, match="nowhere: is not a folder"):
        check_output(tmp_path / "nowhere" / "a.mp4")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InputError, match=r"folder\.mp4: is a folder; give --out a file's name"):
        check_output(tmp_path / "folder.mp4")
    with pytest.raises(InputError, match=r"vi\.mp4: is a source and would be overwritten"):
        check_output(tmp_path / "vi.mp4", [tmp_path / "folder.mp4" / ".." / "vi.mp4"])


def test_a_failure_keeps_the_old_video_and_leaves_nothing_else(folders, tmp_path):
    """Frames are read a few at a time: the batches before the bad frame are fused by then."""
    output, done = tmp_path / "fused.mp4", []
    output.write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    write_image(folders[1] / "f9.png", flat(9, 40, 48))
    with pytest.raises(InputError, match=r"f9\.png: has a frame of 48x40 after others of 48x32"):
        fuse(*folders, output, on_frames=done.append)
    assert done == [8]
    assert output.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e9, float("inf"), float("nan")])
def test_impossible_rates_are_refused(videos, rate):
    with pytest.raises(InputError, match=r"--fps: is .*; give a rate above 0 and up to 1000"):
        match_streams(*map(open_stream, videos), rate)


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


def test_a_color_video_takes_no_declared_range(videos, folders, tmp_path):
    with pytest.raises(InputError, match=r"ir\.avi: is a video of yuvj?42\dp frames, which"):
        fuse(videos[0], folders[1], tmp_path / "fused.mp4", infrared_range=(0, 4095))


def encode(path, frames, times, codec="libx264", pixels="yuv420p", kind="rgb24", **muxing):
    """A video whose frames are shown at the given times in seconds."""
    with av.open(str(path), "w", options=muxing) as container:
        stream = container.add_stream(codec, rate=10, options={})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        for array, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(array, format=kind)
            frame.time_base, frame.pts = Fraction(1, 1000), round(time * 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def times_of(path):
    with av.open(str(path)) as container:
        return [round(frame.time, 3) for frame in container.decode(video=0)]


def test_frame_rates_that_differ_are_paired_by_time(tmp_path):
    slow = encode(
        tmp_path / "ir.mkv", [flat(40 * k) for k in range(5)], [0.2 * k for k in range(5)]
    )
    fast = encode(tmp_path / "vi.mkv", [flat(0)] * 10, [0.1 * k for k in range(10)])
    streams = open_stream(slow), open_stream(fast)
    match = match_streams(*streams)
    assert all(abs(0.2 * ir - 0.1 * vi) <= 0.1001 for ir, vi in match.partners)
    assert [vi for _, vi in match.partners] == list(range(10))
    assert "paired by time, at most 0.1 s apart" in match.notes[0]
    fuse_streams(FUSE, *streams, match, tmp_path / "fused.mp4", stretched=False)
    means = [frame.mean() for frame in read_video(tmp_path / "fused.mp4")[0]]
    np.testing.assert_allclose(means, [20 * ir for ir, _ in match.partners], atol=6)


def test_time_stamps_are_kept_where_frames_are_uneven(tmp_path):
    times = [0.0, 0.033, 0.066, 0.4, 0.433, 0.9]
    visible = encode(tmp_path / "vi.mkv", [flat(90)] * 6, times)
    infrared = encode(tmp_path / "ir.mkv", [flat(50)] * 10, [0.1 * k for k in range(10)])
    streams = open_stream(infrared), open_stream(visible)
    match = match_streams(*streams)
    fuse_streams(FUSE, *streams, match, tmp_path / "fused.mp4", stretched=False)
    assert times_of(tmp_path / "fused.mp4") == times


def test_videos_of_other_lengths_are_refused_unless_a_rate_says_that_frames_match(tmp_path):
    slow = open_stream(encode(tmp_path / "ir.mp4", [flat(9)] * 6, [0.2 * k for k in range(6)]))
    fast = open_stream(encode(tmp_path / "vi.mp4", [flat(9)] * 6, [k / 30 for k in range(6)]))
    with pytest.raises(InputError, match=r"lasts 1\.2 s at 5 frames.*not the same moments"):
        match_streams(slow, fast)
    assert match_streams(slow, fast, 10).partners == [(k, k) for k in range(6)]


def test_sixteen_bit_gray_video_takes_a_declared_range(tmp_path):
    frames = [np.full((32, 48), 8000, np.uint16)] * 2
    path = encode(tmp_path / "ir.mkv", frames, [0, 0.1], "ffv1", "gray16le", "gray16le")
    notes = []
    assert next(open_stream(path).infrared((7000, 9000), notes.append))[0, 0] == 128
    assert notes == ["scaled from 7000..9000"]
    next(open_stream(path).infrared(on_note=notes.append))
    assert "dark, only 13 of 16 bits are used" in notes[-1]


def test_what_a_video_is_read_as_is_noted(tmp_path):
    color = np.zeros((32, 48, 3), np.uint8)
    color[:, 24:] = 200, 30, 30
    notes = []
    for name, frame in {"color": color, "gray": flat(90)}.items():
        path = encode(tmp_path / f"{name}.mp4", [frame] * 2, [0, 0.1])
        next(open_stream(path).infrared(on_note=notes.append))
    deep = [np.full((32, 48), 8000, np.uint16)] * 2
    path = encode(tmp_path / "deep.mkv", deep, [0, 0.1], "ffv1", "gray16le", "gray16le")
    next(open_stream(path).visible(notes.append))
    assert notes == [f"infrared: {COLORED_INFRARED}", "16-bit visible video read as 8-bit"]


def test_a_video_that_is_cut_off_gives_what_can_be_read_and_a_note(tmp_path):
    whole = encode(tmp_path / "vi.mkv", noise(40), [k / 10 for k in range(40)])
    content = whole.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(content[: len(content) * 3 // 5])
    streams = open_stream(cut), open_stream(cut)
    assert 0 < streams[0].count < 40
    match, notes = match_streams(*streams), []
    assert "cut.mkv ends before its header says" in match.notes[0]
    output = tmp_path / "fused.mp4"
    written = fuse_streams(FUSE, *streams, match, output, stretched=False, on_note=notes.append)
    assert written == len(read_video(output)[0])
    assert streams[0].count - 2 <= written <= streams[0].count


def test_a_cut_off_video_of_another_rate_is_paired_up_to_where_it_ends(tmp_path):
    """Its header, at the front, says that it lasts longer."""
    whole = encode(tmp_path / "ir.mp4", noise(20), [k / 5 for k in range(20)], movflags="faststart")
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    visible = encode(tmp_path / "vi.mp4", [flat(9)] * 40, [k / 10 for k in range(40)])
    streams = open_stream(whole), open_stream(visible)
    assert 2 < streams[0].count < 18
    match = match_streams(*streams)
    assert "ir.mp4 ends before its header says" in match.notes[0]
    last = streams[0].times[-1]
    assert last <= match.times[-1] <= last + 0.21
    assert [vi for _, vi in match.partners] == list(range(len(match.times)))


def test_sound_is_ignored_also_where_it_lasts_longer(tmp_path):
    silent = encode(tmp_path / "silent.mp4", [flat(90)] * 10, [k / 10 for k in range(10)])
    loud = tmp_path / "loud.mp4"
    with av.open(str(silent)) as source, av.open(str(loud), "w") as container:
        video = container.add_stream_from_template(source.streams.video[0])
        sound = container.add_stream("aac", rate=44100, layout="mono")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        for start in range(0, 2 * 44100, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    streams = open_stream(silent), open_stream(loud)
    assert [stream.is_cut_off for stream in streams] == [False, False]
    match, output = match_streams(*streams), tmp_path / "fused.mp4"
    assert match.notes == ()
    assert fuse_streams(FUSE, *streams, match, output, stretched=False) == 10
    with av.open(str(output)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def noise(count):
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (32, 48, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "h264"), ("webm", "vp9")])
def test_fused_videos_are_what_browsers_play(videos, tmp_path, suffix, codec):
    fuse(*videos, tmp_path / f"fused.{suffix}")
    with av.open(str(tmp_path / f"fused.{suffix}")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name.removeprefix("lib"), context.pix_fmt) == (codec, "yuv420p")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "folder"])
def test_a_long_video_takes_no_more_memory_than_a_short_one(tmp_path, suffix):
    peaks = []
    for count in (16, 64):
        if suffix == "folder":
            source = tmp_path / str(count)
            source.mkdir()
            for number in range(count):
                write_image(source / f"{number}.png", flat(number, 120, 160))
        else:
            frames = [flat(number, 120, 160) for number in range(count)]
            source = encode(tmp_path / f"{count}.mp4", frames, [k / 25 for k in range(count)])
            del frames
        stream = open_stream(source)
        match = match_streams(stream, stream, 25)
        tracemalloc.start()
        fuse_streams(FUSE, stream, stream, match, tmp_path / "fused.mp4", stretched=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    frame = 120 * 160 * 3
    assert peaks[0] > 8 * frame  # of a batch
    assert peaks[1] < peaks[0] + 5 * frame


def test_no_more_frames_are_in_memory_however_long_the_video(tmp_path, monkeypatch):
    living, most = 0, 0

    def frames():
        nonlocal living, most
        for _ in range(300):
            frame = flat(9)
            living += 1
            most = max(most, living)
            weakref.finalize(frame, gone)
            yield frame
            del frame

    def gone():
        nonlocal living
        living -= 1

    stream = Stream(tmp_path, (32, 48), 300)
    monkeypatch.setattr(Stream, "infrared", lambda *_: (frame[..., 0] for frame in frames()))
    monkeypatch.setattr(Stream, "visible", lambda *_: frames())
    match = match_streams(stream, stream, 25)
    fuse_streams(FUSE, stream, stream, match, tmp_path / "fused.mp4", stretched=False)
    assert most < 40


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nir.avi\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile ir.avi\n"),
    ],
)
def test_a_list_of_other_files_is_not_followed(videos, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="is not a video that can be decoded here"):
        open_stream(tmp_path / name)


def test_a_name_that_looks_like_a_protocol_is_a_file(videos, monkeypatch):
    monkeypatch.chdir(videos[0].parent)
    assert open_stream(videos[0].rename("concat:a.avi")).count == len(LEVELS)


def test_close_frames_of_an_avi_stay_apart(tmp_path):
    times = [0.0, 0.0333, 0.0373, 0.1]
    streams = [encode(tmp_path / name, [flat(9)] * 4, times) for name in ("ir.mkv", "vi.mkv")]
    infrared, visible = map(open_stream, streams)
    match = match_streams(infrared, visible)
    output = tmp_path / "fused.avi"
    assert fuse_streams(FUSE, infrared, visible, match, output, stretched=False) == 4
    found = times_of(output)
    assert len({*found}) == 4
    np.testing.assert_allclose(found, times, atol=0.04)
