"""`pomai fuse`: files or folders of pairs, with a trained network."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from fusion.images import InputError, Pair, check_same_size, find_images, find_pairs
from pipelines.commands.fuse_video import fuse_video

if TYPE_CHECKING:
    from fusion.runtime import RuntimeConfig


def fuse(
    ir: Annotated[Path, typer.Option(help="Infrared image or video, or a folder.")],
    vi: Annotated[Path, typer.Option(help="Visible image or video, or a folder.")],
    out: Annotated[Path, typer.Option(help="Fused image (.png) or video, or a folder.")],
    weights: Annotated[
        str, typer.Option(help="A name in the box, a model's folder, or owner/name.")
    ] = "pomai-tiny",
    stretch: Annotated[bool, typer.Option(help="Stretch each image to its full range.")] = False,
    ir_range: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Infrared of more than 8 bits: what becomes black and white."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Redo what is already there.")] = False,
    accelerator: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")
    ] = "auto",
    memory: Annotated[
        float, typer.Option(min=0.1, help="GiB of tensors; larger images are fused in tiles.")
    ] = 10.0,
    video: Annotated[
        bool, typer.Option("--video", help="Streams: video files, or folders of frames.")
    ] = False,
    fps: Annotated[
        float | None, typer.Option(min=0.01, help="Frame rate; by default the visible video's.")
    ] = None,
) -> None:
    """Fuse pairs of one stem, or with --video two streams frame by frame.

    What is already there is skipped. A pair that cannot be fused is reported at the end and does
    not stop the others. The fused video is an .mp4 or .avi file.
    """
    from fusion.runtime import RuntimeConfig

    if ir_range and ir_range[0] >= ir_range[1]:
        raise InputError("--ir-range", "is empty", "give the lower value first")
    runtime = RuntimeConfig(accelerator=accelerator, memory_gib=memory)
    shared: Any = {"stretch": stretch, "ir_range": ir_range, "overwrite": overwrite}
    if video:
        fuse_video(ir, vi, out, weights, fps=fps, runtime=runtime, **shared)
    elif fps is not None:
        raise InputError("--fps", "is for streams only", "add --video")
    else:
        _fuse_images(ir, vi, out, weights, runtime=runtime, **shared)


def _fuse_images(
    ir: Path,
    vi: Path,
    out: Path,
    weights: str,
    *,
    stretch: bool,
    ir_range: tuple[float, float] | None,
    overwrite: bool,
    runtime: "RuntimeConfig",
) -> None:
    from fusion.fuse import fuse_pairs
    from fusion.pretrained import load
    from fusion.runtime import pick_device

    pairs, folder, problems = _pairs(ir, vi, out)
    wanted = [pair for pair in pairs if overwrite or not (folder / f"{pair.name}.png").exists()]
    fuser, done = load(weights, pick_device(runtime), runtime.memory_gib), 0
    options: Any = {"stretched": stretch, "infrared_range": ir_range, "runtime": runtime}
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress("pairs", *columns, console=Console(stderr=True), transient=True) as progress:
        for pair in progress.track(wanted):
            try:
                check_same_size(pair)
                fuse_pairs(fuser.method, [pair], folder, batch_size=1, plan=fuser.plan, **options)
                done += 1
            except InputError as problem:
                problems.append(problem)
    skipped = f", {len(pairs) - len(wanted)} already there" if len(wanted) < len(pairs) else ""
    print(f"{done} fused into {folder}{skipped}")
    if problems:
        sys.exit("\n".join(f"error: {problem}" for problem in problems))


def _pairs(ir: Path, vi: Path, out: Path) -> tuple[list[Pair], Path, list[InputError]]:
    """Pairs, the folder they go to, and what is wrong with the others."""
    if ir.is_file() and vi.is_file():
        if out.is_dir():
            return [Pair(vi.stem, ir, vi)], out, []
        if out.suffix.lower() != ".png":
            raise InputError(out, "is not a PNG file", "give --out a name that ends in .png")
        return [Pair(out.stem, ir, vi)], out.parent, []
    if ir.is_dir() and vi.is_dir():
        try:
            return find_pairs(ir, vi), out, []
        except InputError as problem:
            infrared, visible = find_images(ir), find_images(vi)
            common = sorted(infrared.keys() & visible.keys())
            return [Pair(name, infrared[name], visible[name]) for name in common], out, [problem]
    missing = ir if not ir.exists() else vi
    if not missing.exists():
        raise InputError(missing, "does not exist", "give two images or two folders")
    raise InputError(ir, f"and {vi} are an image and a folder", "give two images or two folders")
