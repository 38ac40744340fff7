"""Fused video: two streams of frames -> one file that browsers and players show."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import torch
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from fusion.core.errors import InputError, unwritable
from fusion.inference.fuse import explained
from fusion.inference.matching import Match, matched_frames
from fusion.inference.pretrained import Fuser
from fusion.inference.streams import Frame, Stream

ENCODERS = {
    ".mp4": ("libx264", "libopenh264"),
    ".mkv": ("libx264", "libopenh264"),
    ".webm": ("libvpx-vp9",),
    ".avi": ("mjpeg",),
}
"""Suffix -> encoders in order of preference: H.264 in .mp4 and VP9 in .webm play in browsers."""

_OPTIONS = {
    "libx264": {"crf": "18", "preset": "medium"},
    "libvpx-vp9": {"crf": "24", "b": "0", "row-mt": "1"},
    "mjpeg": {"qscale": "2"},
}
_CLOCK = 90_000
"""Ticks a second of the fused video's time stamps: MPEG's own clock."""

_BATCH = 8
"""Frames fused at once, memory permitting."""


def check_output(path: Path, sources: Iterable[Path] = ()) -> None:
    """Reject an output that cannot be a video, or is one of `sources`.

    Raises:
        InputError: the suffix is unknown, the folder is missing, or the name is that of a folder
            or a source.
    """
    *others, last = ENCODERS
    known = f"{', '.join(others)} or {last}"
    if path.is_dir():
        raise InputError(path, "is a folder", f"give --out a file's name that ends in {known}")
    if any(path.resolve() == source.resolve() for source in sources):
        raise InputError(path, "is a source and would be overwritten", "give another --out")
    if path.suffix.lower() not in ENCODERS:
        remedy = f"give --out a name that ends in {known}"
        raise InputError(path, "is not the name of a video", remedy)
    if not path.parent.is_dir():
        raise InputError(path.parent, "is not a folder", "make it first")


def pick_encoder(suffix: str) -> str:
    """The first encoder for a suffix that this build of FFmpeg has.

    Raises:
        InputError: this build has none of them.
    """
    for name in ENCODERS[suffix]:
        if name in av.codecs_available:
            return name
    reason = f"needs one of the encoders {', '.join(ENCODERS[suffix])}, and FFmpeg has none here"
    raise InputError(suffix, reason, "give --out another suffix")


def encoded_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the fused video: encoders take even ones, the last row or column goes."""
    return size[0] // 2 * 2, size[1] // 2 * 2


def fuse_streams(
    fuse: Fuser,
    infrared: Stream,
    visible: Stream,
    match: Match,
    output: Path,
    *,
    stretched: bool,
    infrared_range: tuple[float, float] | None = None,
    on_frames: Callable[[int], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> int:
    """Fuse two streams into a video of the visible stream's size, cropped to `encoded_size`.

    A few frames are in memory at a time, however long the streams are. A stream that cannot be
    decoded to its end gives a video of what came before, and a note.

    Args:
        fuse: a `Fuser`, from `fusion.load`.
        infrared, visible: the streams.
        match: the result of `match_streams` for them.
        output: a path that `check_output` accepts; it is either unchanged or complete.
        stretched: stretch every frame to its own full range.
        infrared_range: declared range, as in `Stream.infrared`.
        on_frames: called with the number of frames fused since the last call.
        on_note: called with each note for the user.

    Returns:
        Number of frames written.

    Raises:
        InputError: a frame cannot be read or fused, or the video cannot be written.
    """
    pairs = matched_frames(
        infrared.infrared(infrared_range, on_note), visible.visible(on_note), match
    )
    written = 0
    with _new_file(output) as unfinished, _open_writer(unfinished, output, visible, match) as write:
        while batch := list(islice(pairs, _BATCH)):
            with explained(visible.path):
                fused = _fuse_batch(fuse, batch, stretched)
            for frame in fused:
                write(frame, match.times[written])
                written += 1
            on_frames(len(batch))
    if written < len(match.partners):
        on_note(f"only {written} of {len(match.partners)} frames could be read")
    return written


def _fuse_batch(fuse: Fuser, batch: Sequence[tuple[Frame, Frame]], stretched: bool) -> Frame:
    """uint8 B×H×W×3."""
    infrared, visible = (torch.from_numpy(np.stack(frames)) for frames in zip(*batch, strict=True))
    fused = fuse(infrared.unsqueeze(1), visible.permute(0, 3, 1, 2), stretch=stretched)
    return fused.permute(0, 2, 3, 1).cpu().numpy()


@contextmanager
def _new_file(output: Path) -> Iterator[Path]:
    """A file in a new folder beside the output, which replaces it in the end."""
    try:
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".fused-") as folder:
            unfinished = Path(folder) / f"video{output.suffix.lower()}"
            yield unfinished
            unfinished.replace(output)
    except av.FFmpegError as error:
        reason = f"cannot be written ({error.strerror})"
        raise InputError(output, reason, "check whether the disk is full") from error
    except OSError as error:
        raise unwritable(output, error) from error


@contextmanager
def _open_writer(
    path: Path, output: Path, visible: Stream, match: Match
) -> Iterator[Callable[[Frame, float], None]]:
    """A function that adds a frame, shown at a time in seconds, to a new video."""
    name = pick_encoder(output.suffix.lower())
    height, width = encoded_size(visible.size)
    rate = _rate(match)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(name, rate=rate, options=_OPTIONS.get(name, {}))
        if not isinstance(stream, VideoStream):
            raise TypeError(f"{name} encodes no video")
        context = stream.codec_context
        context.width, context.height = width, height
        context.time_base = 1 / rate if name == "mjpeg" else Fraction(1, _CLOCK)
        context.pix_fmt = "yuvj420p" if name == "mjpeg" else "yuv420p"
        colors = Colorspace.ITU601 if name == "mjpeg" else Colorspace.ITU709
        context.colorspace = colors
        context.color_range = ColorRange.JPEG if name == "mjpeg" else ColorRange.MPEG
        try:
            context.open()
        except av.FFmpegError as error:
            video = f"{width}x{height} at {float(rate):g} fps"
            reason = f"cannot be written: {name} does not support {video}"
            raise InputError(output, reason, "try another suffix or --fps") from error

        last = -1

        def write(pixels: Frame, time: float) -> None:
            nonlocal last
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]))
            frame = frame.reformat(format=context.pix_fmt, dst_colorspace=colors)
            frame.time_base = context.time_base
            # ticks of Motion JPEG are as long as a frame: two close ones must not share one
            frame.pts = last = max(last + 1, round(time / context.time_base))
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode(None))


def _rate(match: Match) -> Fraction:
    """Frames a second, of which a header tells players; the time stamps are what counts."""
    if len(match.times) < 2:
        return Fraction(25)
    usual = float(np.median([second - first for first, second in pairwise(match.times)]))
    return Fraction(1 / usual).limit_denominator(1001)
