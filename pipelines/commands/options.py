"""Options that several commands have."""

from typing import Annotated, Literal

import typer

Accelerator = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option("--device", "--accelerator", help="Where to compute."),
]
