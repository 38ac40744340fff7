"""Streams of frames: a video file, or a folder with an image for each frame."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fusion.core.errors import InputError
from fusion.images.decode import (
    COLORED_INFRARED,
    MINIMUM_SIDE,
    has_color,
    image_size,
    read_infrared,
    read_visible,
    to_gray,
    to_rgb,
)
from fusion.images.levels import scale_levels
from fusion.images.pairs import EXTENSIONS, find_images, natural_key

Frame = NDArray[np.uint8]
OnNote = Callable[[str], None]

_FORMATS = (
    "asf", "avi", "flv", "gif", "h264", "hevc", "ivf", "m4v", "matroska", "mjpeg", "mov", "mp4",
    "mpeg", "mpegts", "mpegvideo", "mxf", "nut", "ogg", "webm", "yuv4mpegpipe",
)  # fmt: skip
"""FFmpeg's names of containers that hold their frames themselves; playlists name other files."""

_READING = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}

JITTER = 0.5
"""Frames count as evenly spaced if no interval differs from the median by a larger share."""


@dataclass(frozen=True)
class Stream:
    """Frames of one sensor.

    size: (height, width) of every frame, as displayed.
    count: number of frames; a damaged video may end earlier.
    times: when each frame is shown, in seconds from the first; empty for a folder.
    nominal_rate: frames per second that the file states; None for a folder, or if not stated.
    duration: seconds that the file states; None for a folder, or if not stated.
    last: seconds that the last frame is shown; 0 for a folder, or if not stated.
    """

    path: Path
    size: tuple[int, int]
    count: int
    times: tuple[float, ...] = ()
    nominal_rate: float | None = None
    duration: float | None = None
    last: float = 0.0

    @property
    def rate(self) -> float | None:
        """Frames a second, by the median interval; of a single frame, as the file says."""
        if len(self.times) < 2:
            return self.nominal_rate
        return 1 / float(np.median(np.diff(self.times)))

    @property
    def even(self) -> bool:
        """Whether all frames last about equally long."""
        if len(self.times) < 3:
            return True
        intervals = np.diff(self.times)
        usual = np.median(intervals)
        return bool((np.abs(intervals - usual) <= JITTER * usual).all())

    @property
    def is_cut_off(self) -> bool:
        """Whether the file says that it lasts longer than its frames do."""
        if self.duration is None or self.rate is None:
            return False
        end = self.times[-1] + max(self.last, 1 / self.rate)
        return self.duration - end > 1.5 / self.rate

    def infrared(
        self, declared_range: tuple[float, float] | None = None, on_note: OnNote = lambda _: None
    ) -> Iterator[Frame]:
        """Frames as uint8 gray H×W.

        Args:
            declared_range: values of gray frames of more than 8 bits that become 0 and 255, as
                `read_infrared` takes it.
            on_note: called with each conversion that a frame needs beyond decoding.

        Raises:
            InputError: a frame is unreadable or of another size, or a range is given to a video
                whose frames are not deep gray.
        """
        if self.path.is_dir():
            frames = self._infrared_images(declared_range, on_note)
        else:
            frames = self._infrared_frames(declared_range, on_note)
        return self._of_one_size(frames)

    def visible(self, on_note: OnNote = lambda _: None) -> Iterator[Frame]:
        """Frames as uint8 RGB H×W×3; arguments and errors as for `infrared`."""
        if self.path.is_dir():
            frames = self._visible_images(on_note)
        else:
            frames = self._visible_frames(on_note)
        return self._of_one_size(frames)

    def _visible_images(self, on_note: OnNote) -> Iterator[tuple[Path, Frame]]:
        for path in frame_files(self.path):
            image = read_visible(path)
            for note in image.notes:
                on_note(note)
            yield path, to_rgb(image.pixels)

    def _visible_frames(self, on_note: OnNote) -> Iterator[tuple[Path, Frame]]:
        for frame in _decode(self.path, on_note):
            if _bits(frame) > 8:
                on_note(f"{_bits(frame)}-bit visible video read as 8-bit")
            yield self.path, _rgb(frame)

    def _infrared_images(
        self, declared_range: tuple[float, float] | None, on_note: OnNote
    ) -> Iterator[tuple[Path, Frame]]:
        for path in frame_files(self.path):
            image = read_infrared(path, declared_range)
            for note in image.notes:
                on_note(note)
            yield path, image.pixels

    def _infrared_frames(
        self, declared_range: tuple[float, float] | None, on_note: OnNote
    ) -> Iterator[tuple[Path, Frame]]:
        for frame in _decode(self.path, on_note):
            if frame.format.name.startswith("gray") and _bits(frame) > 8:
                pixels, notes = scale_levels(self.path, _deep_gray(frame), declared_range)
                for note in notes:
                    on_note(note)
                yield self.path, pixels
                continue
            if declared_range:
                reason = f"is a video of {frame.format.name} frames, which have no declared range"
                remedy = "leave the range out, or give 16-bit gray video or a folder of frames"
                raise InputError(self.path, reason, remedy)
            if _bits(frame) > 8:
                on_note(f"{_bits(frame)}-bit color video read as 8-bit")
            pixels = _rgb(frame)
            if has_color(pixels):
                on_note(f"infrared: {COLORED_INFRARED}")
            yield self.path, to_gray(pixels)

    def _of_one_size(self, frames: Iterator[tuple[Path, Frame]]) -> Iterator[Frame]:
        for path, frame in frames:
            if frame.shape[:2] != self.size:
                reason = f"has a frame of {shown_size(frame.shape[:2])} after others of"
                raise InputError(path, f"{reason} {shown_size(self.size)}", "make them one size")
            yield frame


def open_stream(path: Path) -> Stream:
    """Inspect a video file or a folder of frames.

    A video's time stamps are read without decoding it; only its first frame is decoded.

    Raises:
        InputError: the stream is missing, has no readable frame, or is too small.
    """
    if path.is_dir():
        frames = frame_files(path)
        return Stream(path, image_size(frames[0]), len(frames))
    if not path.is_file():
        raise InputError(path, "does not exist", "give a video file or a folder of frames")
    if path.suffix.lower() in EXTENSIONS:
        raise InputError(path, "is a single image", "give a video file or a folder of frames")
    first = next(_decode(path, lambda _: None), None)
    if first is None:
        remedy = "convert it, or give a folder of frames"
        raise InputError(path, "has no frame that can be decoded", remedy)
    height, width = _rgb(first).shape[:2]
    if min(height, width) < MINIMUM_SIDE:
        reason = f"is only {shown_size((height, width))}"
        raise InputError(path, reason, f"sides must be at least {MINIMUM_SIDE}")
    times, last = _times(path)
    with _opened(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        duration = _duration(container, stream)
    nominal = float(rate) if rate else None
    return Stream(path, (height, width), len(times), times, nominal, duration, last)


def frame_files(folder: Path) -> list[Path]:
    """A folder's images in the order of their names, numbers by their value: 2 before 10."""
    images = find_images(folder)
    return [images[stem] for stem in sorted(images, key=natural_key)]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A container and its first video stream; other streams, such as sound, are ignored.

    Raises:
        InputError: it is not a video.
    """
    remedy = "convert it, or give a folder of frames"
    try:
        container = av.open(f"file:{path}", options=_READING, metadata_errors="replace")
    except av.FFmpegError as error:
        reason = f"is not a video that can be decoded here ({_words(error)})"
        raise InputError(path, reason, remedy) from error
    with container:
        if not container.streams.video:
            raise InputError(path, "has no video stream", remedy)
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _decode(path: Path, on_note: OnNote) -> Iterator[VideoFrame]:
    """Frames up to the end, or up to the first that cannot be decoded, which is noted."""
    with _opened(path) as (container, stream):
        frames = container.decode(stream)
        decoded = 0
        while True:
            try:
                frame = next(frames, None)
            except av.FFmpegError as error:
                on_note(f"{path} ends early, after frame {decoded} ({_words(error)})")
                return
            if frame is None:
                return
            decoded += 1
            yield frame


def _times(path: Path) -> tuple[tuple[float, ...], float]:
    """Times of all frames in seconds, rising from 0, and how long the last one is shown."""
    stamps: dict[float, float] = {}
    packets = 0
    with _opened(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None and packet.time_base is not None:
                    stamp = float(packet.pts * packet.time_base)
                    stamps[stamp] = float((packet.duration or 0) * packet.time_base)
                    packets += 1
        except av.FFmpegError:
            pass  # the file is cut off: what comes before can be used
    if not stamps or len(stamps) < packets:
        raise InputError(path, "has frames without time stamps", "convert it to .mp4 or .mkv")
    rising = sorted(stamps)
    return tuple(stamp - rising[0] for stamp in rising), stamps[rising[-1]]


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds that the header states for the frames; else for the file, whose sound may go on."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _words(error: av.FFmpegError) -> str:
    return error.strerror or type(error).__name__


def _bits(frame: VideoFrame) -> int:
    return frame.format.components[0].bits


def _turned(pixels: NDArray[np.generic], frame: VideoFrame) -> NDArray[np.generic]:
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


def _rgb(frame: VideoFrame) -> Frame:
    """uint8 RGB, rotated as the file states."""
    return _turned(frame.to_ndarray(format="rgb24"), frame).astype(np.uint8, copy=False)


def _deep_gray(frame: VideoFrame) -> NDArray[np.generic]:
    """uint16 as stored: values of a sensor of 10 to 16 bits."""
    plane = frame.planes[0]
    order = ">u2" if frame.format.name.endswith("be") else "<u2"
    rows = np.frombuffer(memoryview(plane), order).reshape(plane.height, plane.line_size // 2)
    return _turned(rows[:, : plane.width].astype(np.uint16), frame)


def shown_size(size: tuple[int, ...]) -> str:
    """(height, width) as text, width first: 640x480."""
    return f"{size[1]}x{size[0]}"
