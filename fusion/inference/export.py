"""A fusion method as a file that runs without this package: ONNX, or a program of torch.export.

The exported function is the method's `forward`: infrared B×1×H×W and visible B×3×H×W (RGB), both
float32 in [0, 1], to fused luminance B×1×H×W; any B, H and W where the method's operations allow,
else one pair of a fixed size. The caller restores color; see
`fusion.images.color.restore_color`.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config
from torch.onnx import OnnxExporterError

from fusion.core.errors import InputError
from fusion.core.files import write_bytes
from fusion.images.decode import MINIMUM_SIDE
from fusion.methods.base import FusionMethod
from fusion.methods.onnx.config import OnnxConfig
from fusion.methods.onnx.method import Onnx

FACTS = "pomai.json"
"""The extra file of a `.pt2`, and the metadata key of an ONNX model, that hold the facts."""

FIXED_SIZE = (480, 640)
"""Height and width of a method that needs a fixed size."""

_EXAMPLE = (2, 389, 523)
"""Batch, height and width of the trace: large enough that no dimension is a special case, and no
multiples of what networks pad to."""

_OTHERS = ((1, 64, 96), (3, 77, 50))
"""Sizes that an open program must take: one image or more, multiples of 16 or not."""

_SIZES = {0: Dim("batch"), 2: Dim("height", min=MINIMUM_SIDE), 3: Dim("width", min=MINIMUM_SIDE)}


def trace(method: FusionMethod, size: tuple[int, int] | None = None) -> ExportedProgram:
    """The method's operations on the CPU.

    Args:
        method: what to trace.
        size: fixed height and width, of one pair; by default batch, height and width stay open if
            the method's operations allow it, and else are one pair of `FIXED_SIZE`.

    Raises:
        InputError: the method computes outside torch, or its operations depend on pixel values.
    """
    method = method.cpu().eval().requires_grad_(False)
    program = None if size else _trace_open(method)
    if program:
        return program
    try:
        return torch.export.export(method, _example(1, *(size or FIXED_SIZE)))
    except RuntimeError as error:
        reason = f"cannot be exported: torch cannot follow it ({str(error).splitlines()[0]})"
        remedy = "only methods whose torch operations do not depend on pixel values can be exported"
        raise InputError(method.kind, reason, remedy) from error


def fixed_size(program: ExportedProgram) -> tuple[int, int] | None:
    """Height and width of what `trace` gives; None if they are open."""
    inputs = program.graph_signature.user_inputs
    shape = next(n.meta["val"].shape for n in program.graph.nodes if n.name == inputs[0])
    return (shape[2], shape[3]) if isinstance(shape[2], int) else None


def _trace_open(method: FusionMethod) -> ExportedProgram | None:
    """A program for any batch, height and width; None if torch cannot make one."""
    for trace_once in (torch.export.export, _export_with_checks):
        try:
            shapes = {"infrared": _SIZES, "visible": _SIZES}
            program = trace_once(method, _example(*_EXAMPLE), dynamic_shapes=shapes)
        except (RuntimeError, ValueError):  # constraints violated, or inconsistent
            continue
        module = program.module()
        if all(_takes(module, *other) for other in _OTHERS):
            return program
    return None


def _export_with_checks(*args: Any, **options: Any) -> ExportedProgram:
    """What torch cannot prove of all sizes (padding is smaller than the image) is checked at run
    time; strides are not asked for, as in torch.onnx's own trace.
    """
    with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(
            *args, **options, prefer_deferred_runtime_asserts_over_guards=True
        )


def _takes(module: nn.Module, batch: int, height: int, width: int) -> bool:
    try:
        module(*_example(batch, height, width))
    except (AssertionError, RuntimeError):  # the program's own checks
        return False
    return True


def write_torch(program: ExportedProgram, path: Path, facts: dict[str, Any]) -> None:
    """Write a traced method for `torch.export.load(path).module()`, on the CPU.

    Args:
        program: the result of `trace`.
        path: the file, which should end in `.pt2`.
        facts: the result of `describe`.
    """
    content = io.BytesIO()
    torch.export.save(program, content, extra_files={FACTS: json.dumps(facts)})
    write_bytes(path, content.getvalue())


def write_onnx(program: ExportedProgram, path: Path, facts: dict[str, Any]) -> None:
    """Write a traced method as ONNX with inputs `infrared` and `visible` and output `fused`.

    Args:
        program, facts: as in `write_torch`.
        path: the file, which should end in `.onnx`.

    Raises:
        InputError: as `require_onnx`, or ONNX does not support an operation of the method.
    """
    require_onnx(path)
    names = None if fixed_size(program) else {"infrared": _SIZES, "visible": None}  # given once
    translations: dict[Callable[..., Any], Callable[..., Any]] = {
        torch.ops.aten.sort.stable: _stable_sort,
        torch.ops.aten.median.dim: _median,
    }
    try:
        exported: Any = torch.onnx.export(
            program,
            input_names=["infrared", "visible"],
            output_names=["fused"],
            dynamic_shapes=names,
            custom_translation_table=translations,
            verbose=False,
        )
    except OnnxExporterError as error:
        reason = f"cannot be written ({error.__cause__ or error})"
        raise InputError(path, reason, "use --format torch") from error
    exported.model.metadata_props[FACTS] = json.dumps(facts)
    write_bytes(path, exported.model_proto.SerializeToString())


def require_onnx(path: Path) -> None:
    """Check that the packages for ONNX are installed.

    Raises:
        InputError: they are not installed.
    """
    try:
        import onnxscript  # noqa: F401 - torch needs it
    except ImportError as error:
        reason = f"cannot be written ({error})"
        raise InputError(path, reason, "install the extra: pomai[export]") from error


def _stable_sort(
    values: Any,
    *,
    stable: bool = True,  # noqa: ARG001 - torch hands it over by name
    dim: int = -1,
    descending: bool = False,
) -> Any:
    """ONNX has no sort; its TopK puts equal values in the order of their places."""
    from onnxscript import opset18

    everything = opset18.Shape(values, start=dim, end=dim + 1)
    return opset18.TopK(values, everything, axis=dim, largest=int(descending), sorted=1)


def _median(values: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """ONNX has no median either: the middle of TopK along the last dimension, the lower of two."""
    from onnxscript import opset18

    if dim != -1 or keepdim:
        raise NotImplementedError("a median of other than the last dimension, or one that keeps it")
    onnx: Any = opset18
    everything = onnx.Shape(values, start=-1)
    ordered, places = onnx.TopK(values, everything, axis=-1, largest=0, sorted=1)
    middle = onnx.Squeeze(onnx.Div(onnx.Sub(everything, 1), 2))
    return onnx.Gather(ordered, middle, axis=-1), onnx.Gather(places, middle, axis=-1)


@torch.no_grad()
def difference(method: FusionMethod, path: Path, size: tuple[int, int]) -> Tensor:
    """How far the output of a written file is from the method's, on one pair of noise.

    Args:
        method: what was traced.
        path: a file of `write_onnx` or `write_torch`.
        size: height and width of the pair.

    Returns:
        Absolute differences, H×W.

    Raises:
        InputError: an ONNX file cannot be run, for example because ONNX Runtime is not installed.
    """
    pair = _example(1, *size)
    if path.suffix.lower() == ".onnx":
        exported: Callable[..., Tensor] = Onnx.read(path, OnnxConfig())
    else:
        exported = torch.export.load(path).module()
    found: Tensor = (exported(*pair) - method(*pair)).abs()[0, 0]
    return found


def smallest_side(program: ExportedProgram) -> int:
    """The smallest power of two, from 16, at which an open program's checks hold for a square."""
    module, side = program.module(), MINIMUM_SIDE
    while not _takes(module, 1, side, side):
        side *= 2
    return side


def describe(
    method: FusionMethod, name: str, smallest: int, size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """The metadata of an exported file: name, method, settings, inputs, output and sizes.

    `size` is the result of `fixed_size`; `smallest` applies only without it.
    """
    batch, *sides = (1, *size) if size else ("batch", "height", "width")
    shape = " x ".join(map(str, ["{}", *sides]))
    return {
        "name": name,
        "method": method.kind,
        "config": method.config.model_dump(mode="json"),
        "inputs": {
            "infrared": f"float32, {batch} x {shape.format(1)}, 0..1",
            "visible": f"float32, {batch} x {shape.format(3)}, RGB, 0..1",
        },
        "output": {"fused": f"float32, {batch} x {shape.format(1)}, luminance, 0..1"},
        "restores_color": method.restores_color,
        **({"size": size} if size else {"smallest_side": smallest}),
    }


def _example(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.rand(batch, 1, height, width), torch.rand(batch, 3, height, width)
