"""`pomai evaluate --video`: temporal consistency of a fused video."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from fusion.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from fusion.inference.matching import Match
    from fusion.inference.streams import Stream
    from fusion.metrics.temporal import Frames


def evaluate_video(
    ir: Path,
    vi: Path,
    fused: Path,
    out: Path | None,
    *,
    ir_range: tuple[float, float] | None,
    fps: float | None,
) -> None:
    """Print how steadily a fused video follows its sources, and write a CSV of all frames."""
    from fusion.core.files import write_text
    from fusion.inference.matching import match_streams
    from fusion.inference.streams import open_stream

    streams = [open_stream(path) for path in (ir, vi, fused)]
    infrared, visible, result = streams
    # frames of two folders are paired by number, whatever their rate
    rate = fps if fps or infrared.times or visible.times else 1.0
    match = match_streams(infrared, visible, rate)
    _require_match(visible, result, len(match.partners))
    notes = dict.fromkeys(match.notes)
    table = _measure(streams, match, ir_range, lambda note: notes.setdefault(note))
    count, pairs = len(table) + 1, len(match.partners)
    if out:
        write_text(out, table.to_csv(index=False))
    print(f"{count} frames, mean over the changes between them, in gray levels:")
    for name in ("flicker", "deviation"):
        print(f"  {name}: {table[name].mean():.3f}")
    if count < pairs:
        notes[f"only {count} of {pairs} frames could be read"] = None
    for note in notes:
        print(f"note: {note}")


def _measure(
    streams: "list[Stream]",
    match: "Match",
    ir_range: tuple[float, float] | None,
    on_note: Callable[[str], None],
) -> "pd.DataFrame":
    """A row for each frame but the first: `frame`, `flicker` and `deviation`."""
    import pandas as pd

    from fusion.metrics.temporal import temporal_change

    frames = pairwise(_frames(streams, match, ir_range, on_note))
    rows = [
        {"frame": number, **temporal_change(before, after)._asdict()}
        for number, (before, after) in enumerate(frames, start=1)
    ]
    if not rows:
        reason = "has fewer than two frames that can be compared with its sources"
        raise InputError(streams[2].path, reason, "give videos of two readable frames or more")
    return pd.DataFrame(rows)


def _frames(
    streams: "list[Stream]",
    match: "Match",
    ir_range: tuple[float, float] | None,
    on_note: Callable[[str], None],
) -> "Iterator[Frames]":
    """The sources' frames as `pomai fuse --video` pairs them, each with its fused frame."""
    from fusion.images.decode import to_gray
    from fusion.inference.matching import matched_frames
    from fusion.metrics.temporal import Frames

    infrared, visible, fused = streams
    height, width = fused.size
    sources = matched_frames(infrared.infrared(ir_range, on_note), visible.visible(on_note), match)
    results = fused.visible(lambda note: on_note(f"fused: {note}"))
    for (thermal, color), result in zip(sources, results, strict=False):
        planes = (thermal, to_gray(color), to_gray(result))
        yield Frames(*(plane[:height, :width] for plane in planes))


def _require_match(visible: "Stream", fused: "Stream", pairs: int) -> None:
    from fusion.inference.streams import shown_size
    from fusion.inference.video import encoded_size

    remedy = "give the sources that it was fused from"
    if pairs != fused.count:
        reason = f"has {fused.count} frames, and its sources have {pairs} pairs of frames"
        raise InputError(fused.path, reason, remedy)
    if fused.size not in (visible.size, encoded_size(visible.size)):
        reason = f"shows {shown_size(fused.size)} and {visible.path} {shown_size(visible.size)}"
        raise InputError(fused.path, reason, remedy)
