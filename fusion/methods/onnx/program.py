"""An ONNX file: whether it is safe and complete, and what its inputs are."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from fusion.core.errors import InputError
from fusion.core.files import read_bytes
from fusion.methods.onnx.config import OnnxConfig

LIMIT = 2**31
"""Bytes: what the file format can hold."""

_INFRARED = ("infra", "inf", "ir", "lwir", "thermal")
_VISIBLE = ("vis", "vi", "rgb")
"""How words in the names of inputs begin."""

_OUTPUTS = ("tensor(float)", "tensor(float16)", "tensor(double)", "tensor(uint8)")
"""Types of outputs that can be an image."""

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class Port(NamedTuple):
    """An input or output: its name and four dimensions, None where the file leaves one open."""

    name: str
    shape: tuple[int | None, ...]


class Signature(NamedTuple):
    """What a program takes and gives, in full: a config without anything left to tell."""

    infrared: Port
    visible: Port
    output: str
    channels_last: bool
    rgb: bool

    def sides(self) -> tuple[int | None, int | None]:
        """The height and width that it takes; None where any."""
        height, width = self.infrared.shape[1:3] if self.channels_last else self.infrared.shape[2:4]
        return height, width


def read_program(path: Path) -> bytes:
    """The content of an ONNX file that needs no other file.

    Raises:
        InputError: it is missing, is no ONNX file, or keeps weights in other files.
    """
    content = read_bytes(path, LIMIT)
    onnx = _package("onnx", path)
    damage = _package("google.protobuf.message", path).DecodeError
    try:
        model = onnx.load_model_from_string(content)
    except (damage, RecursionError) as error:
        raise InputError(path, "is no ONNX file", "export the network again") from error
    if not model.graph.output:
        raise InputError(path, "is no ONNX file of a network", "export the network again")
    if any(_is_external(message) for message in _messages(model)):
        reason = "keeps weights in other files, which nothing here would watch or copy"
        raise InputError(path, reason, "save it as one file: onnx.save(onnx.load(old), new)")
    return content


def _messages(message: Any) -> Iterator[Any]:
    """A protobuf message and all within it."""
    waiting = [message]
    while waiting:
        yield (found := waiting.pop())
        for field, value in found.ListFields():
            if field.type == field.TYPE_MESSAGE:
                waiting.extend([value] if hasattr(value, "ListFields") else value)


def _is_external(message: Any) -> bool:
    is_tensor = message.DESCRIPTOR.name == "TensorProto"
    return is_tensor and bool(message.data_location or message.external_data)


def _package(name: str, path: Path | str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        remedy = "install the extra: pomai[onnx]"
        raise InputError(path, f"cannot be run ({error})", remedy) from error


def providers_of(device: torch.device) -> list[str | tuple[str, dict[str, int]]]:
    """The parts of ONNX Runtime that run a program on a device, the first that can.

    >>> providers_of(torch.device("cuda:1"))
    [('CUDAExecutionProvider', {'device_id': 1}), 'CPUExecutionProvider']
    """
    if device.type == "cuda":
        return [(_CUDA, {"device_id": device.index or 0}), _CPU]
    return [_CPU]


class Session:
    """A program on one device.

    Raises:
        InputError: ONNX Runtime is not installed, or cannot run the program or use the device.
    """

    def __init__(self, program: bytes, device: torch.device, shown: str) -> None:
        runtime = _package("onnxruntime", shown)
        state = runtime.capi.onnxruntime_pybind11_state
        self._shown = shown
        self._errors = (
            state.Fail,
            state.InvalidArgument,
            state.InvalidGraph,
            state.InvalidProtobuf,
            state.NotImplemented,
            state.RuntimeException,
            ValueError,
        )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what matters is raised
        if device.type == "cuda":
            self._require_cuda(runtime.get_available_providers(), device)
        try:
            self._session = runtime.InferenceSession(
                program, options, providers=providers_of(device)
            )
        except self._errors as error:
            reason = f"cannot be run by ONNX Runtime ({_first_line(error)})"
            raise InputError(shown, reason, "export the network again") from error
        if device.type == "cuda":  # where CUDA's libraries cannot be loaded, it takes the CPU
            self._require_cuda(self._session.get_providers(), device)

    def _require_cuda(self, providers: list[str], device: torch.device) -> None:
        if _CUDA not in providers:
            reason = f"cannot be run on {device}: this ONNX Runtime has no CUDA, or cannot load it"
            remedy = (
                "install onnxruntime-gpu in place of onnxruntime, or choose the CPU (--device cpu; "
                "runtime.accelerator in params.yaml)"
            )
            raise InputError(self._shown, reason, remedy)

    def run(self, output: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """One output.

        Raises:
            InputError: the program fails at these inputs.
        """
        try:
            (found,) = self._session.run([output], inputs)
        except self._errors as error:
            shapes = " and ".join("×".join(map(str, value.shape)) for value in inputs.values())
            reason = f"fails at inputs of {shapes} ({_first_line(error)})"
            remedy = "check `multiple`, `layout` and `visible_channels` of its config"
            raise InputError(self._shown, reason, remedy) from error
        return np.asarray(found)

    def signature(self, config: OnnxConfig) -> Signature:
        """Complete a config by what the program tells.

        Raises:
            InputError: it has other than two inputs that are images, or leaves open what is what.
        """
        ports = [self._port(node) for node in self._session.get_inputs()]
        if len(ports) != 2:
            reason = f"takes {len(ports)} inputs ({_names(ports)}), not two"
            remedy = "export a network of an infrared and a visible image"
            raise InputError(self._shown, reason, remedy)
        last = _is_channels_last(ports, config)
        axis = 3 if last else 1
        infrared, visible = self._told_apart(ports, config, axis)
        if infrared.shape[axis] not in (None, 1):
            reason = f"its input {infrared.name} has {infrared.shape[axis]} channels"
            raise InputError(self._shown, reason, "infrared has one: state `infrared` and `layout`")
        rgb = config.visible_channels == "rgb"
        if config.visible_channels == "auto":
            rgb = visible.shape[axis] == 3
        if visible.shape[axis] not in (None, 3 if rgb else 1):
            reason = f"its input {visible.name} has {visible.shape[axis]} channels"
            raise InputError(self._shown, reason, "correct `visible_channels` or `layout`")
        return Signature(infrared, visible, self._output(config), last, rgb)

    def _port(self, node: Any) -> Port:
        shape = tuple(side if isinstance(side, int) else None for side in node.shape)
        if len(shape) != 4 or node.type != "tensor(float)":
            reason = f"its input {node.name} is {node.type} of {len(shape)} dimensions"
            remedy = "export a network whose inputs are float32 images of four dimensions"
            raise InputError(self._shown, reason, remedy)
        return Port(node.name, shape)

    def _output(self, config: OnnxConfig) -> str:
        kinds = {node.name: node.type for node in self._session.get_outputs()}
        if config.output and config.output not in kinds:
            remedy = f"choose from {', '.join(kinds)}"
            raise InputError(self._shown, f"has no output {config.output}", remedy)
        name = config.output or next(iter(kinds))
        if kinds[name] not in _OUTPUTS:
            reason = f"its output {name} is {kinds[name]}, no image"
            remedy = "state the `output` that is one of floats, or export the network again"
            raise InputError(self._shown, reason, remedy)
        return name

    def _told_apart(self, ports: list[Port], config: OnnxConfig, axis: int) -> tuple[Port, Port]:
        for name in (config.infrared, config.visible):
            if name and name not in [port.name for port in ports]:
                remedy = f"choose from {_names(ports)}"
                raise InputError(self._shown, f"has no input {name}", remedy)
        if config.infrared or config.visible:
            rules = [_stated(config)]
        else:
            rules = [_named, lambda *order: [port.shape[axis] for port in order] == [1, 3]]
        orders = [(ports[0], ports[1]), (ports[1], ports[0])]
        for fits in rules:
            found = [order for order in orders if fits(*order)]
            if len(found) == 1:
                return found[0]
        reason = f"does not tell which of its inputs ({_names(ports)}) is infrared"
        raise InputError(self._shown, reason, "state `infrared` and `visible` in its config")


def _stated(config: OnnxConfig) -> Callable[[Port, Port], bool]:
    """Whether inputs are those of a config."""

    def fits(infrared: Port, visible: Port) -> bool:
        return config.infrared in ("", infrared.name) and config.visible in ("", visible.name)

    return fits


def _named(infrared: Port, visible: Port) -> bool:
    """Whether the names of inputs tell what they are."""
    return any(
        _has_word(right, words) and not _has_word(wrong, words)
        for right, wrong, words in ((infrared, visible, _INFRARED), (visible, infrared, _VISIBLE))
    )


def _has_word(port: Port, beginnings: tuple[str, ...]) -> bool:
    return any(word.startswith(beginnings) for word in re.split(r"[^a-z]+", port.name.lower()))


def _is_channels_last(ports: list[Port], config: OnnxConfig) -> bool:
    if config.layout != "auto":
        return config.layout == "channels last"
    first, last = (all(port.shape[axis] in (1, 3) for port in ports) for axis in (1, 3))
    return last and not first


def _names(ports: list[Port]) -> str:
    return ", ".join(port.name for port in ports)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
