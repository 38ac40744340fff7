"""`pomai evaluate --video`: temporal consistency of a fused video."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from fusion.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from fusion.inference.streams import Stream
    from fusion.metrics.temporal import Frames


def evaluate_video(
    ir: Path, vi: Path, fused: Path, out: Path | None, ir_range: tuple[float, float] | None
) -> None:
    """Print how steadily a fused video follows its sources, and write a CSV of all frames."""
    from fusion.core.files import write_text

    table = _measure(ir, vi, fused, ir_range)
    if out:
        write_text(out, table.to_csv(index=False))
    print(f"{len(table) + 1} frames, mean over the changes between them, in gray levels:")
    for name in ("flicker", "deviation"):
        print(f"  {name}: {table[name].mean():.3f}")


def _measure(
    ir: Path, vi: Path, fused: Path, ir_range: tuple[float, float] | None
) -> "pd.DataFrame":
    """A row for each frame but the first: `frame`, `flicker` and `deviation`."""
    import pandas as pd

    from fusion.inference.streams import open_stream
    from fusion.metrics.temporal import temporal_change

    streams = [open_stream(path) for path in (ir, vi, fused)]
    rows = [
        {"frame": number, **temporal_change(before, after)._asdict()}
        for number, (before, after) in enumerate(pairwise(_frames(streams, ir_range)), start=1)
    ]
    if not rows:
        raise InputError(fused, "has a single frame", "give a video of two frames or more")
    return pd.DataFrame(rows)


def _frames(streams: "list[Stream]", ir_range: tuple[float, float] | None) -> "Iterator[Frames]":
    """The sources' frames as `pomai fuse --video` pairs them, each with its fused frame."""
    from fusion.images.decode import to_gray
    from fusion.inference.matching import match_streams, matched_frames
    from fusion.metrics.temporal import Frames

    infrared, visible, fused = streams
    # frames of two folders are paired by number, whatever their rate
    match = match_streams(infrared, visible, None if infrared.times or visible.times else 1.0)
    _require_match(visible, fused, len(match.partners))
    height, width = fused.size
    sources = matched_frames(infrared.infrared(ir_range), visible.visible(), match)
    for (thermal, color), result in zip(sources, fused.visible(), strict=False):
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
