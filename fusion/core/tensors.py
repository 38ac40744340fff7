"""Files of tensors that others wrote, opened so that no code in them can run."""

import pickle
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fusion.core.errors import InputError

_DAMAGE = (
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    struct.error,
)
"""What torch raises at damaged files: its unpickler trusts their structure."""

_BEGINNINGS = (b"PK", b"\x80")
"""The first bytes of what torch saves: a zip archive, or before version 1.6 a pickle."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file by name; entries of nested dicts get dotted names.

    Args:
        path: `.safetensors`, or anything that torch saved (`.pth`, `.pt`, `.model`, `.ckpt`), which
            is opened with `weights_only=True`.

    Raises:
        InputError: the file is missing, damaged, no checkpoint, or holds Python objects besides
            tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path) from error
    except (OSError, SafetensorError, *_DAMAGE) as error:
        reason = f"cannot be read as a checkpoint ({error})"
        raise InputError(path, reason, "download it again, or give another file") from error
    try:
        return dict(_tensors(content))
    except RecursionError as error:
        reason = "cannot be read as a checkpoint (it is nested without end)"
        raise InputError(path, reason, "give another file") from error


def _refused(path: Path) -> InputError:
    """The error at a file that torch's unpickler refuses: no pickle at all, or an unsafe one."""
    with path.open("rb") as file:
        beginning = file.read(48)
    if not beginning.startswith(_BEGINNINGS):
        line = (beginning.decode(errors="replace").splitlines() or [""])[0]
        reason = f"is no checkpoint (it begins with {line!r})"
        return InputError(path, reason, "download it again: the file itself, not a page about it")
    reason = "holds more than tensors, and opening such a file can run code from it"
    remedy = (
        "where you trust it, open it in the authors' environment and save the network's state "
        "dict alone: torch.save(network.state_dict(), 'weights.pth')"
    )
    return InputError(path, reason, remedy)


def _tensors(content: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        yield prefix, content
    elif isinstance(content, Mapping):
        for name, value in content.items():
            yield from _tensors(value, f"{prefix}.{name}" if prefix else str(name))
