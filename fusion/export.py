"""A fusion method as a file that runs without this package: ONNX, or a program of torch.export.

The exported function is the method's `forward`: infrared B×1×H×W and visible B×3×H×W (RGB), both
float32 in [0, 1], to fused luminance B×1×H×W; any B, H and W. Colour is the caller's:
`fusion.color.restore_color` is one line in any language.
"""

import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from fusion import methods
from fusion.images import MINIMUM_SIDE, InputError, write_bytes
from fusion.methods import FusionMethod

FACTS = "pomai.json"
"""The extra file of a `.pt2`, and the metadata key of an ONNX model, that hold the facts."""

_EXAMPLE = (2, 384, 512)
"""Batch, height and width of the trace: large enough that no dimension is a special case."""

_SIZES = {0: Dim("batch"), 2: Dim("height", min=MINIMUM_SIDE), 3: Dim("width", min=MINIMUM_SIDE)}


def trace(method: FusionMethod) -> ExportedProgram:
    """The method's operations on the CPU, with batch, height and width left open."""
    method = method.cpu().eval().requires_grad_(False)
    shapes = {"infrared": _SIZES, "visible": _SIZES}
    return torch.export.export(method, _example(*_EXAMPLE), dynamic_shapes=shapes)


def write_torch(program: ExportedProgram, path: Path, facts: dict[str, Any]) -> None:
    """Write a traced method for `torch.export.load(path).module()`, on the CPU.

    Args:
        program: what `trace` gives.
        path: the file, which should end in `.pt2`.
        facts: what `describe` gives.
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
        InputError: as `require_onnx`.
    """
    require_onnx(path)
    exported: Any = torch.onnx.export(
        program,
        input_names=["infrared", "visible"],
        output_names=["fused"],
        dynamic_shapes={"infrared": _SIZES, "visible": None},  # their names, given once
        custom_translation_table={torch.ops.aten.sort.stable: _stable_sort},
        verbose=False,
    )
    exported.model.metadata_props[FACTS] = json.dumps(facts)
    write_bytes(path, exported.model_proto.SerializeToString())


def require_onnx(path: Path) -> None:
    """Refuse to write ONNX without the packages for it.

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


def smallest_side(program: ExportedProgram) -> int:
    """The smallest power of two, from 16, at which the program's own checks hold for a square."""
    module, side = program.module(), MINIMUM_SIDE
    while True:
        try:
            module(*_example(1, side, side))
        except AssertionError:
            side *= 2
        else:
            return side


def describe(method: FusionMethod, name: str, smallest: int) -> dict[str, Any]:
    """What a file says about itself: name, method, settings, inputs, output and sizes."""
    kind = next(kind for kind in methods.names() if methods.get(kind) is type(method))
    return {
        "name": name,
        "method": kind,
        "config": method.config.model_dump(mode="json"),
        "inputs": {
            "infrared": "float32, batch x 1 x height x width, 0..1",
            "visible": "float32, batch x 3 x height x width, RGB, 0..1",
        },
        "output": {"fused": "float32, batch x 1 x height x width, luminance, 0..1"},
        "restores_color": method.restores_color,
        "smallest_side": smallest,
    }


def _example(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.rand(batch, 1, height, width), torch.rand(batch, 3, height, width)
