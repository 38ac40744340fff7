"""`pomai export`: a trained network as ONNX or as a torch.export program."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fusion.core.errors import InputError, unwritable

if TYPE_CHECKING:
    from fusion.methods.base import FusionMethod

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}

TOLERANCE = 1e-3
"""A quarter of a gray level."""

MOST_OTHERS = 0.01
"""Share of pixels that may differ by more: hash codes can tie in the last bit."""


def export(
    out: Annotated[Path, typer.Option(help="File to write: .onnx, or .pt2 for torch.")],
    weights: Annotated[
        str, typer.Option(help="Name of a released network, a model folder, or owner/name.")
    ] = "pomai-tiny",
    format: Annotated[
        Literal["onnx", "torch"], typer.Option(help="ONNX, or a torch.export program.")
    ] = "onnx",
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(help="Fix height and width; by default they stay open where they can."),
    ] = None,
) -> None:
    """Write a network as a file that runs without this package.

    It maps infrared (batch x 1 x height x width) and visible RGB (batch x 3 x height x width),
    float32 in 0..1, to fused luminance; batch, height and width stay open where the method's
    operations allow it.
    """
    suffix = SUFFIXES[format]
    if out.suffix.lower() != suffix:
        remedy = f"give --out a name ending in {suffix}"
        raise InputError(out, f"is not a name for {format}", remedy)
    from fusion.core.files import require_writable

    require_writable(out)

    from fusion.images.decode import MINIMUM_SIDE

    if size and min(size) < MINIMUM_SIDE:
        raise InputError("--size", "is too small", f"sides must be at least {MINIMUM_SIDE}")

    from fusion.inference import export as files
    from fusion.inference.pretrained import load

    onnx = format == "onnx"
    if onnx:
        files.require_onnx(out)
    method = load(weights).method
    program = files.trace(method, size)
    fixed = files.fixed_size(program)
    smallest = MINIMUM_SIDE if onnx or fixed else files.smallest_side(program)
    write = files.write_onnx if onnx else files.write_torch
    try:
        write(program, out, files.describe(method, weights, smallest, fixed))
    except OSError as error:
        raise unwritable(out, error) from error
    if fixed is None:
        print(f"{out}: any batch, height and width, from {smallest}x{smallest} pixels")
    else:
        print(f"{out}: one pair at a time, of height {fixed[0]} and width {fixed[1]} only")
        if size is None:
            print("the method's operations leave no size open; --size HEIGHT WIDTH takes another")
    _compare(method, out, fixed or (max(smallest, 96), max(smallest, 128)))


def _compare(method: "FusionMethod", out: Path, size: tuple[int, int]) -> None:
    """Run the file once, and say how near its output is to the network's."""
    from importlib.util import find_spec

    from fusion.inference.export import difference

    if out.suffix.lower() == ".onnx" and find_spec("onnxruntime") is None:
        print("not compared with the network: ONNX Runtime is not installed (extra pomai[onnx])")
        return
    found = difference(method, out, size)
    others = float((found > TOLERANCE).double().mean())
    if not others <= MOST_OTHERS:
        remedy = "do not use it, and report the method and your version of torch"
        raise InputError(out, "does not compute what the network does", remedy)
    print(
        f"compared with the network: {1 - others:.2%} of the pixels are equal to {TOLERANCE:g}, "
        f"the median difference is {float(found.median()):.1g} (range 0..1)"
    )
