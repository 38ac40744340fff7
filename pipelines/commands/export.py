"""`pomai export`: a trained network as ONNX or as a torch.export program."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fusion.images import MINIMUM_SIDE, InputError

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}


def export(
    out: Annotated[Path, typer.Option(help="File to write: .onnx, or .pt2 for torch.")],
    weights: Annotated[
        str, typer.Option(help="A name in the box, a model's folder, or owner/name.")
    ] = "pomai-tiny",
    format: Annotated[
        Literal["onnx", "torch"], typer.Option(help="ONNX, or a torch.export program.")
    ] = "onnx",
) -> None:
    """Write a network as a file that runs without this package.

    It maps infrared (batch x 1 x height x width) and visible RGB (batch x 3 x height x width),
    float32 in 0..1, to fused luminance; batch, height and width stay open.
    """
    suffix = SUFFIXES[format]
    if out.suffix.lower() != suffix:
        raise InputError(out, f"is no name for {format}", f"give --out a name ending in {suffix}")
    if not out.parent.is_dir():
        raise InputError(out.parent, "is not a folder", "make it first")

    from fusion.export import describe, require_onnx, smallest_side, trace, write_onnx, write_torch
    from fusion.pretrained import load

    onnx = format == "onnx"
    if onnx:
        require_onnx(out)
    method = load(weights).method
    program = trace(method)
    smallest = MINIMUM_SIDE if onnx else smallest_side(program)
    (write_onnx if onnx else write_torch)(program, out, describe(method, weights, smallest))
    print(f"{out}: any batch, height and width, from {smallest}x{smallest} pixels")
