"""Options that several commands have."""

from typing import Annotated, Literal

import typer

Accelerator = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option("--device", "--accelerator", help="Where to compute."),
]

InfraredRange = Annotated[
    tuple[float, float] | None,
    typer.Option("--ir-range", help="Infrared of more than 8 bits: values of black and white."),
]
