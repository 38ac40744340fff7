"""`pomai evaluate`: fusion metrics of any three folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fusion.core.errors import InputError
from pipelines.commands.evaluate_video import evaluate_video
from pipelines.commands.options import Accelerator, InfraredRange

if TYPE_CHECKING:
    from rich.table import Table

    from fusion.metrics.summary import FusionSummary


def evaluate(
    ir: Annotated[Path, typer.Option(help="Folder of infrared images, or a video.")],
    vi: Annotated[Path, typer.Option(help="Folder of visible images, or a video.")],
    fused: Annotated[Path, typer.Option(help="Folder of fused images, or a video.")],
    out: Annotated[Path | None, typer.Option(help="CSV of each image's or frame's values.")] = None,
    metrics: Annotated[
        str, typer.Option(help="Names separated by commas; 'core': the twelve; 'all'.")
    ] = "core",
    accelerator: Accelerator = "auto",
    video: Annotated[
        bool,
        typer.Option("--video", help="Temporal consistency of videos, or of folders of frames."),
    ] = False,
    ir_range: InfraredRange = None,
    fps: Annotated[
        float | None,
        typer.Option(min=0.01, help="With --video: fused with --fps, frame by frame."),
    ] = None,
) -> None:
    """Print the fusion metrics of a set of fused images: means with 95 % bootstrap intervals.

    With --video, print how steadily a fused video follows its sources instead.
    """
    from fusion.core.files import require_writable

    if out:
        require_writable(out)
    if video:
        evaluate_video(ir, vi, fused, out, ir_range=ir_range, fps=fps)
    elif fps is not None:
        raise InputError("--fps", "is for streams only", "add --video")
    else:
        names = metric_names(metrics)
        _evaluate_images(ir, vi, fused, out, names, ir_range=ir_range, accelerator=accelerator)


def _evaluate_images(
    ir: Path,
    vi: Path,
    fused: Path,
    out: Path | None,
    names: list[str],
    *,
    ir_range: tuple[float, float] | None,
    accelerator: Literal["auto", "cpu", "cuda"],
) -> None:
    from fusion.core.config import RuntimeConfig
    from fusion.core.files import write_text
    from fusion.core.runtime import pick_device
    from fusion.images.pairs import find_pairs
    from fusion.metrics.folders import evaluate_pairs
    from fusion.metrics.summary import summarize
    from pipelines.commands.notes import Notes
    from pipelines.commands.terminal import console, progress

    device = pick_device(RuntimeConfig(accelerator=accelerator))
    notes = Notes()
    with progress("pairs") as bars:
        bar = bars.add_task("pairs", total=None)
        frame = evaluate_pairs(
            find_pairs(ir, vi),
            fused,
            names,
            device=device,
            infrared_range=ir_range,
            on_pairs=lambda done, total: bars.update(bar, completed=done, total=total),
            on_note=notes.add,
        )
    if out:
        write_text(out, frame.to_csv(index=False))
    console().print(_table(summarize(frame)))
    notes.print()


def metric_names(given: str) -> list[str]:
    """The metrics that an option names.

    Raises:
        InputError: one is unknown.
    """
    from fusion.metrics.names import CORE, METRIC_NAMES

    if given in ("core", "all"):
        return list(CORE if given == "core" else METRIC_NAMES)
    names = [name.strip() for name in given.split(",")]
    if unknown := [name for name in names if name not in METRIC_NAMES]:
        raise InputError(
            "--metrics", f"{', '.join(unknown)} unknown", f"choose from {', '.join(METRIC_NAMES)}"
        )
    return names


def _table(summary: "FusionSummary") -> "Table":
    from rich.table import Table

    title = f"{summary.images} images, protocol {summary.protocol}"
    table = Table("metric", "mean", "95 % interval", "undefined", title=title, title_justify="left")
    for name, values in summary.metrics.items():
        if values.mean is None or values.low is None or values.high is None:
            table.add_row(name, "–", "–", "all")
            continue
        interval = f"{values.low:.3f} .. {values.high:.3f}"
        table.add_row(name, f"{values.mean:.3f}", interval, str(values.undefined or ""))
    return table
