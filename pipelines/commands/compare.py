"""`pomai compare`: a page of any folders of fused images."""

from pathlib import Path
from typing import Annotated

import typer

from fusion.core.errors import InputError
from pipelines.commands.options import Accelerator, InfraredRange


def compare(
    ir: Annotated[Path, typer.Option(help="Folder of infrared images.")],
    vi: Annotated[Path, typer.Option(help="Folder of visible images.")],
    fused: Annotated[
        list[str], typer.Option(help="NAME=FOLDER of fused images; once for each method.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the page; open its index.html.")],
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Comparison",
    metrics: Annotated[
        str, typer.Option(help="Names separated by commas; 'core': the twelve; 'all'.")
    ] = "core",
    images: Annotated[
        int | None, typer.Option(min=1, help="Show so many images, drawn at random; default: all.")
    ] = None,
    ir_range: InfraredRange = None,
    accelerator: Accelerator = "auto",
) -> None:
    """Measure folders of fused images and show them side by side on a page."""
    from fusion.core.config import RuntimeConfig
    from fusion.core.runtime import pick_device
    from pipelines.commands.evaluate import metric_names
    from pipelines.commands.notes import Notes
    from pipelines.commands.terminal import progress
    from pipelines.report.page.folders_page import write_comparison

    folders = _named(fused)
    notes = Notes()
    names, device = metric_names(metrics), pick_device(RuntimeConfig(accelerator=accelerator))
    with progress("{task.description}") as bars:
        tasks = {name: bars.add_task(name, total=None) for name in folders}
        write_comparison(
            ir,
            vi,
            folders,
            out,
            title=title,
            metrics=names,
            images=images,
            device=device,
            infrared_range=ir_range,
            on_pairs=lambda name, done, total: bars.update(
                tasks[name], completed=done, total=total
            ),
            on_note=notes.add,
        )
    typer.echo(f"{out / 'index.html'}")
    notes.print()


def _named(given: list[str]) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for item in given:
        name, separator, folder = item.partition("=")
        if not (name and separator and folder):
            raise InputError("--fused", f"'{item}' is not NAME=FOLDER", "write --fused A=fused/a")
        if name in folders:
            raise InputError("--fused", f"names '{name}' twice", "give each folder its own name")
        folders[name] = Path(folder)
    return folders
