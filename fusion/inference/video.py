"""Video: two streams of frames -> a fused video file, one frame in memory at a time.

A stream is a video file that OpenCV's FFmpeg can decode, or a folder with an image for each frame.
"""

import math
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion.core.errors import InputError, unwritable
from fusion.images.decode import MINIMUM_SIDE, image_size, read_infrared, read_visible, to_gray
from fusion.images.pairs import EXTENSIONS, find_images
from fusion.inference.fuse import explained
from fusion.inference.pretrained import Fuser

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
"""Four-character codes by suffix: encoders that every build of OpenCV's FFmpeg has."""

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Stream:
    """Frames of one sensor.

    count: number of frames that can be decoded.
    size: (height, width) of every frame.
    rate: frames a second; None for a folder, or where a video does not say.
    """

    path: Path
    count: int
    size: tuple[int, int]
    rate: float | None

    def infrared(self, declared_range: tuple[float, float] | None = None) -> Iterator[Frame]:
        """Frames as uint8 grey H×W; the range, of a folder's images, as in `read_infrared`.

        Raises:
            InputError: a frame is unreadable or of another size, or a range is given to a video,
                whose frames have 8 bits.
        """
        if declared_range and not self.path.is_dir():
            reason = "is a video, and its frames of 8 bits take no declared range"
            raise InputError(self.path, reason, "leave it out, or give a folder of frames")
        if self.path.is_dir():
            paths = _in_order(self.path)
            frames = ((path, read_infrared(path, declared_range).pixels) for path in paths)
        else:
            frames = ((self.path, to_gray(frame)) for frame in _decode(self.path))
        return self._of_one_size(frames)

    def visible(self) -> Iterator[Frame]:
        """Frames as uint8 RGB H×W×3; raises as `infrared`."""
        if self.path.is_dir():
            frames = ((path, _colour(read_visible(path).pixels)) for path in _in_order(self.path))
        else:
            frames = ((self.path, frame) for frame in _decode(self.path))
        return self._of_one_size(frames)

    def infrared_notes(self, declared_range: tuple[float, float] | None = None) -> tuple[str, ...]:
        """What has to be done to the first infrared frame, as `ImageRead.notes`."""
        if not self.path.is_dir():
            return ()
        return read_infrared(_in_order(self.path)[0], declared_range).notes

    def _of_one_size(self, frames: Iterator[tuple[Path, Frame]]) -> Iterator[Frame]:
        for path, frame in frames:
            if frame.shape[:2] != self.size:
                reason = f"has a frame of {shown_size(frame.shape[:2])} after others of"
                raise InputError(path, f"{reason} {shown_size(self.size)}", "make them one size")
            yield frame


def open_stream(path: Path) -> Stream:
    """Look at a video file or a folder of frames, and count its frames.

    Headers only estimate the number of frames, so a video is decoded once for this.

    Raises:
        InputError: it is missing, has no frame that can be read, or is too small.
    """
    if path.is_dir():
        frames = _in_order(path)
        return Stream(path, len(frames), image_size(frames[0]), None)
    if not path.is_file():
        raise InputError(path, "does not exist", "give a video file or a folder of frames")
    if path.suffix.lower() in EXTENSIONS:
        raise InputError(path, "is a single image", "give a video file or a folder of frames")
    first = next(_decode(path), None)
    if first is None:
        raise InputError(
            path, "is no video that can be decoded here", "convert it, or give a folder of frames"
        )
    if min(first.shape[:2]) < MINIMUM_SIDE:
        reason = f"is only {shown_size(first.shape[:2])}"
        raise InputError(path, reason, f"sides must be at least {MINIMUM_SIDE}")
    height, width = first.shape[:2]
    return Stream(path, _count(path), (height, width), _rate(path))


def check_streams(infrared: Stream, visible: Stream) -> None:
    """Refuse two streams that do not show the same moments at the same pixels.

    Raises:
        InputError: the numbers of frames or the sizes differ.
    """
    if infrared.count != visible.count:
        reason = f"has {infrared.count} frames and {visible.path} has {visible.count}"
        raise InputError(infrared.path, reason, "cut them so that frame matches frame")
    if infrared.size != visible.size:
        reason = f"shows {shown_size(infrared.size)} and {visible.path} {shown_size(visible.size)}"
        raise InputError(
            infrared.path, reason, "streams must be aligned pixel by pixel: register them first"
        )


def check_output(path: Path, sources: Iterable[Path] = ()) -> None:
    """Refuse an output that cannot be a video, or is one of `sources`.

    Raises:
        InputError: the suffix is unknown, the folder is missing, or the name is that of a folder
            or a source.
    """
    known = " or ".join(CODECS)
    if path.is_dir():
        raise InputError(path, "is a folder", f"give --out a file's name that ends in {known}")
    if any(path.resolve() == source.resolve() for source in sources):
        raise InputError(path, "is a source and would be overwritten", "give another --out")
    if path.suffix.lower() not in CODECS:
        raise InputError(path, "is no video's name", f"give --out a name that ends in {known}")
    if not path.parent.is_dir():
        raise InputError(path.parent, "is not a folder", "make it first")


def encoded_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the fused video: encoders take even ones, the last row or column goes."""
    return size[0] // 2 * 2, size[1] // 2 * 2


def fuse_streams(
    fuse: Fuser,
    infrared: Stream,
    visible: Stream,
    output: Path,
    *,
    rate: float,
    stretched: bool,
    infrared_range: tuple[float, float] | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> None:
    """Fuse frame by frame into a video of the visible stream's size, cropped to `encoded_size`.

    Args:
        fuse: what `fusion.inference.pretrained.load` gives.
        infrared, visible: what `check_streams` accepts.
        output: what `check_output` accepts; as before, or complete.
        rate: frames a second.
        stretched: stretch every frame to its own full range.
        infrared_range: what `Stream.infrared` takes.
        on_frame: called after each frame.

    Raises:
        InputError: a frame cannot be read or fused, or the video cannot be written.
    """
    frames = zip(infrared.infrared(infrared_range), visible.visible(), strict=True)
    height, width = encoded_size(visible.size)
    with _new_folder(output) as folder:
        unfinished = folder / output.name
        writer = _open_writer(unfinished, output, (height, width), rate)
        try:
            for pair in frames:
                with explained(visible.path):
                    fused = fuse(*pair, stretch=stretched)[:height, :width]
                writer.write(cv2.cvtColor(fused, cv2.COLOR_RGB2BGR))
                on_frame()
        finally:
            writer.release()
        if (written := _count(unfinished)) != visible.count:
            reason = f"only {written} of {visible.count} frames could be written"
            raise InputError(output, reason, "look whether the disk is full")
        unfinished.replace(output)


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
            yield Path(folder)
    except OSError as error:
        raise unwritable(output, error) from error


def _open_writer(path: Path, output: Path, size: tuple[int, int], rate: float) -> cv2.VideoWriter:
    codec = CODECS[output.suffix.lower()]
    code = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, rate, (size[1], size[0]))
    if not writer.isOpened():
        reason = f"cannot be written: no {codec} encoder for {rate:g} frames a second here"
        raise InputError(output, reason, "try the other of .mp4 and .avi, or another --fps")
    return writer


def _in_order(folder: Path) -> list[Path]:
    """A folder's images by stem, numbers by their value: 2 before 10."""
    images = find_images(folder)
    return [images[stem] for stem in sorted(images, key=_numbers_padded)]


def _numbers_padded(stem: str) -> str:
    return re.sub(r"\d+", lambda number: number[0].zfill(20), stem)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        yield capture
    finally:
        capture.release()


def _decode(path: Path) -> Iterator[Frame]:
    """RGB frames, turned as the file says."""
    with _opened(path) as capture:
        decoded, frame = capture.read()
        while decoded:
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
            decoded, frame = capture.read()


def _count(path: Path) -> int:
    with _opened(path) as capture:
        return sum(1 for _ in iter(capture.grab, False))


def _rate(path: Path) -> float | None:
    with _opened(path) as capture:
        rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if math.isfinite(rate) and rate > 0 else None


def _colour(pixels: Frame) -> Frame:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def shown_size(size: tuple[int, ...]) -> str:
    """(height, width) as people write it: 640x480."""
    return f"{size[1]}x{size[0]}"
