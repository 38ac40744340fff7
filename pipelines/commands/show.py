"""`pomai show`: open the report in a browser."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from fusion.core.errors import InputError


def show(
    page: Annotated[
        Path | None, typer.Argument(help="Folder of a page; default: the report.")
    ] = None,
) -> None:
    """Open the report's page in a browser and print its address."""
    from pipelines.paths import PAGE
    from pipelines.report.page.render import PAGE as FILE

    path = (page or PAGE) / FILE
    if not path.is_file():
        remedy = "run `dvc repro` (or `dvc pull`)" if page is None else "give the folder of a page"
        raise InputError(path, "is missing", remedy)
    address = path.resolve().as_uri()
    typer.echo(address)
    webbrowser.open(address)
