"""`pomai fuse --video`: two streams of frames to one fused video."""

from pathlib import Path
from typing import TYPE_CHECKING

from fusion.core.errors import InputError

if TYPE_CHECKING:
    from fusion.core.config import RuntimeConfig


def fuse_video(
    ir: Path,
    vi: Path,
    out: Path,
    weights: str,
    *,
    fps: float | None,
    stretch: bool,
    ir_range: tuple[float, float] | None,
    overwrite: bool,
    runtime: "RuntimeConfig",
) -> None:
    """Fuse two videos, or folders of frames; an output that is already there is kept."""
    from fusion.core.runtime import pick_device
    from fusion.inference.pretrained import load
    from fusion.inference.video import (
        check_output,
        check_streams,
        encoded_size,
        fuse_streams,
        open_stream,
        shown_size,
    )
    from pipelines.commands.terminal import progress

    check_output(out, (ir, vi))
    if out.exists() and not overwrite:
        print(f"{out} is already there")
        return
    infrared, visible = open_stream(ir), open_stream(vi)
    check_streams(infrared, visible)
    rate = fps or visible.rate
    if rate is None:
        raise InputError(vi, "has no frame rate", "give --fps")
    fuse = load(weights, pick_device(runtime), runtime.memory_gib)
    with progress("frames") as bars:
        task = bars.add_task("frames", total=visible.count)
        fuse_streams(
            fuse,
            infrared,
            visible,
            out,
            rate=rate,
            stretched=stretch,
            infrared_range=ir_range,
            on_frame=lambda: bars.advance(task),
        )
    print(f"{visible.count} frames fused into {out}, {rate:g} a second")
    for note in infrared.infrared_notes(ir_range):
        print(f"note: {note}: {ir}")
    if (encoded := encoded_size(visible.size)) != visible.size:
        kept, given = shown_size(encoded), shown_size(visible.size)
        print(f"note: videos have even sizes: {out} shows {kept} of {given} pixels")
