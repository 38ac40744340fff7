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
    _require_match(streams)
    rows = [
        {"frame": number, **temporal_change(before, after)._asdict()}
        for number, (before, after) in enumerate(pairwise(_frames(streams, ir_range)), start=1)
    ]
    if not rows:
        raise InputError(fused, "has a single frame", "give a video of two frames or more")
    return pd.DataFrame(rows)


def _require_match(streams: "list[Stream]") -> None:
    from fusion.inference.streams import shown_size
    from fusion.inference.video import encoded_size

    infrared, visible, fused = streams
    for stream in (infrared, visible):
        if stream.count != fused.count:
            reason = f"has {fused.count} frames and {stream.path} has {stream.count}"
            raise InputError(fused.path, reason, "cut them so that frame matches frame")
        if fused.size not in (stream.size, encoded_size(stream.size)):
            reason = f"shows {shown_size(fused.size)} and {stream.path} {shown_size(stream.size)}"
            raise InputError(fused.path, reason, "give the sources that it was fused from")


def _frames(streams: "list[Stream]", ir_range: tuple[float, float] | None) -> "Iterator[Frames]":
    from fusion.images.decode import to_gray
    from fusion.metrics.temporal import Frames

    infrared, visible, fused = streams
    height, width = fused.size
    moments = zip(infrared.infrared(ir_range), visible.visible(), fused.visible(), strict=False)
    for thermal, color, result in moments:
        planes = (thermal, to_gray(color), to_gray(result))
        yield Frames(*(plane[:height, :width] for plane in planes))
