"""`pomai evaluate`: fusion metrics of any three folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fusion.core.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from fusion.metrics.summary import FusionSummary


def evaluate(
    ir: Annotated[Path, typer.Option(help="Folder of infrared images.")],
    vi: Annotated[Path, typer.Option(help="Folder of visible images.")],
    fused: Annotated[Path, typer.Option(help="Folder of fused images.")],
    out: Annotated[Path | None, typer.Option(help="CSV of every image's values.")] = None,
    metrics: Annotated[
        str, typer.Option(help="Names separated by commas; 'core': the twelve; 'all'.")
    ] = "core",
    accelerator: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")
    ] = "auto",
) -> None:
    """Print the fusion metrics of a set of fused images: means with 95 % bootstrap intervals."""
    from fusion.core.config import RuntimeConfig
    from fusion.core.files import require_writable, write_bytes
    from fusion.core.runtime import pick_device
    from fusion.images.pairs import find_pairs
    from fusion.metrics.folders import evaluate_pairs
    from fusion.metrics.summary import summarize
    from pipelines.commands.terminal import console, progress

    names = metric_names(metrics)
    if out:
        require_writable(out)
    device = pick_device(RuntimeConfig(accelerator=accelerator))
    with progress("pairs") as bars:
        bar = bars.add_task("pairs", total=None)
        frame = evaluate_pairs(
            find_pairs(ir, vi),
            fused,
            names,
            device=device,
            on_pairs=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    if out:
        write_bytes(out, frame.to_csv(index=False).encode())
    console().print(_table(summarize(frame)))


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
