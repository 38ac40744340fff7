"""`pomai evaluate`: fusion metrics of any three folders."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    ir: Annotated[Path, typer.Option(help="Folder of infrared images.")],
    vi: Annotated[Path, typer.Option(help="Folder of visible images.")],
    fused: Annotated[Path, typer.Option(help="Folder of fused images.")],
    out: Annotated[Path | None, typer.Option(help="CSV of every image's values.")] = None,
) -> None:
    """Print the fusion metrics of a set of fused images."""
    from fusion.metrics.folders import evaluate_folders, summarise

    frame = evaluate_folders(ir, vi, fused)
    if out:
        frame.to_csv(out, index=False)
    summary = summarise(frame)
    print(f"{summary['images']} images, protocol {summary['protocol']}, mean [95 % interval]")
    for name, values in summary["metrics"].items():
        if values["mean"] is None:
            print(f"{name:6} undefined for all images")
            continue
        undefined = f", {values['undefined']} undefined" if values["undefined"] else ""
        print(
            f"{name:6} {values['mean']:8.3f} [{values['low']:.3f}, {values['high']:.3f}]{undefined}"
        )
