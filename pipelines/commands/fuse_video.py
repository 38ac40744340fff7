"""`pomai fuse --video`: two streams of frames to one fused video."""

from pathlib import Path
from typing import TYPE_CHECKING

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
    """Fuse two videos, or folders of frames; an existing output is kept."""
    from fusion.core.runtime import pick_device
    from fusion.inference.matching import match_streams
    from fusion.inference.pretrained import load
    from fusion.inference.streams import open_stream, shown_size
    from fusion.inference.video import check_output, encoded_size, fuse_streams, pick_encoder
    from pipelines.commands.terminal import progress

    check_output(out, (ir, vi))
    if out.exists() and not overwrite:
        print(f"{out} is already there")
        return
    infrared, visible = open_stream(ir), open_stream(vi)
    match = match_streams(infrared, visible, fps)
    encoder = pick_encoder(out.suffix.lower())
    fuse = load(weights, pick_device(runtime), runtime.memory_gib)
    notes = dict.fromkeys(match.notes)
    with progress("frames") as bars:
        task = bars.add_task("frames", total=len(match.partners))
        written = fuse_streams(
            fuse,
            infrared,
            visible,
            match,
            out,
            stretched=stretch,
            infrared_range=ir_range,
            on_frames=lambda count: bars.advance(task, count),
            on_note=lambda note: notes.setdefault(note),
        )
    print(f"{written} frame{'' if written == 1 else 's'} fused into {out} by {encoder}")
    for note in notes:
        print(f"note: {note}")
    if (encoded := encoded_size(visible.size)) != visible.size:
        kept, given = shown_size(encoded), shown_size(visible.size)
        print(f"note: videos have even sizes: {out} shows {kept} of {given} pixels")
