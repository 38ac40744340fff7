"""`pomai prepare`: any source of pairs into the project's layout, without params.yaml."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def prepare(
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    layout: Annotated[Literal["msrs", "m3fd", "pairs"], typer.Option(help="How it is laid out.")],
    source: Annotated[Path, typer.Option(help="Folder it lies in.")],
    train_fusion: Annotated[bool, typer.Option(help="Train fusion networks on it.")] = False,
    output: Annotated[Path, typer.Option(help="Root of all prepared data.")] = Path("data"),
) -> None:
    """Check a data set completely and write it to OUTPUT/prepared/NAME."""
    from pipelines.datasets.config import DatasetConfig
    from pipelines.datasets.prepare import prepare as prepare_dataset

    config = DatasetConfig(layout=layout, source=str(source), train_fusion=train_fusion)
    report = prepare_dataset(name, config, output / "prepared" / name, output / "train" / name)
    print(report)
