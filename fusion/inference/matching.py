"""Matches the frames of two streams that show the same moment."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fusion.core.errors import InputError
from fusion.inference.streams import Frame, Stream, shown_size

FASTEST = 1000.0
"""Frame rates that containers and players accept (choice)."""

SAME_RATE = 0.01
"""Frame rates that differ by a smaller share count as equal (29.97 and 30)."""


class Match(NamedTuple):
    """The matched frames of two streams.

    partners: for each fused frame, the numbers of its infrared and its visible frame, both rising.
    times: when each fused frame is shown, in seconds.
    notes: what the user should know about the match.
    """

    partners: Sequence[tuple[int, int]]
    times: Sequence[float]
    notes: tuple[str, ...] = ()


def match_streams(infrared: Stream, visible: Stream, rate: float | None = None) -> Match:
    """Pair the frames of two streams.

    Frames are paired by number if either stream is a folder, if `rate` is given, or if both videos
    have one frame rate and evenly spaced frames. Otherwise each visible frame gets the infrared
    frame that is nearest in time. Where one stream is cut off, the other's later frames are left
    out.

    Args:
        rate: frames a second of the result; by default the visible (or infrared) video's times.

    Raises:
        InputError: the sizes differ, the numbers of frames differ where frames are paired by
            number, the videos differ in duration and neither is cut off, the rate is invalid, or
            no frame rate is known.
    """
    if rate is not None and not 0 < rate <= FASTEST:
        raise InputError("--fps", f"is {rate:g}", f"give a rate above 0 and up to {FASTEST:g}")
    if infrared.size != visible.size:
        reason = f"shows {shown_size(infrared.size)} and {visible.path} {shown_size(visible.size)}"
        raise InputError(
            infrared.path, reason, "streams must be aligned pixel by pixel: see `pomai align`"
        )
    notes = tuple(
        f"{stream.path} ends before its header says; its readable frames are used"
        for stream in (infrared, visible)
        if stream.is_cut_off
    )
    timed = infrared.times and visible.times
    if rate is None and timed and not _in_step(infrared, visible):
        return _by_time(infrared, visible, notes)
    count = _common_count(infrared, visible)
    times = _paces(infrared, visible, rate, count)
    return Match([(number, number) for number in range(count)], times, notes)


def matched_frames(
    infrared: Iterator[Frame], visible: Iterator[Frame], match: Match
) -> Iterator[tuple[Frame, Frame]]:
    """The matched frames of two streams, up to where one of them ends."""
    streams = infrared, visible
    shown, numbers = [next(stream, None) for stream in streams], [0, 0]
    for partners in match.partners:
        for index, wanted in enumerate(partners):
            while numbers[index] < wanted and shown[index] is not None:
                shown[index] = next(streams[index], None)
                numbers[index] += 1
        if shown[0] is None or shown[1] is None:
            return
        yield shown[0], shown[1]


def _in_step(infrared: Stream, visible: Stream) -> bool:
    slower, faster = sorted((infrared.rate or 0.0, visible.rate or 0.0))
    return faster - slower <= SAME_RATE * faster and infrared.even and visible.even


def _common_count(infrared: Stream, visible: Stream) -> int:
    if infrared.count == visible.count:
        return visible.count
    if infrared.is_cut_off or visible.is_cut_off:
        return min(infrared.count, visible.count)
    reason = f"has {infrared.count} frames and {visible.path} has {visible.count}"
    raise InputError(infrared.path, reason, "cut them so that frame matches frame")


def _paces(infrared: Stream, visible: Stream, rate: float | None, count: int) -> Sequence[float]:
    if rate is not None:
        return [number / rate for number in range(count)]
    for stream in (visible, infrared):
        if stream.times:
            return stream.times[:count]
    raise InputError(visible.path, "has no frame rate", "give --fps")


def _by_time(infrared: Stream, visible: Stream, notes: tuple[str, ...]) -> Match:
    intervals = [1 / stream.rate if stream.rate else 0.0 for stream in (infrared, visible)]
    lengths = [infrared.times[-1] + intervals[0], visible.times[-1] + intervals[1]]
    cut_off = infrared.is_cut_off or visible.is_cut_off
    if not cut_off and abs(lengths[0] - lengths[1]) > max(*intervals, 0.05 * max(lengths)):
        reason = (
            f"lasts {lengths[0]:.3g} s at {infrared.rate:.4g} frames a second, and {visible.path} "
            f"{lengths[1]:.3g} s at {visible.rate:.4g}: these are not the same moments"
        )
        remedy = "cut or resample one, or give --fps if frame matches frame"
        raise InputError(infrared.path, reason, remedy)
    end = lengths[0] if cut_off else visible.times[-1]
    times = [time for time in visible.times if time <= end]
    nearest = _nearest(infrared.times, times)
    far = max(abs(infrared.times[i] - time) for i, time in zip(nearest, times, strict=True))
    note = (
        f"frames are paired by time, at most {far:.2g} s apart: {infrared.path} has "
        f"{infrared.count} frames and {visible.path} {visible.count}"
    )
    pairs = [(partner, number) for number, partner in enumerate(nearest)]
    return Match(pairs, times, (*notes, note))


def _nearest(times: Sequence[float], wanted: Sequence[float]) -> list[int]:
    """Index of the nearest time for each wanted time; `times` rise."""
    middles = [(first + second) / 2 for first, second in pairwise(times)]
    indices: list[int] = np.searchsorted(middles, wanted).tolist()
    return indices
