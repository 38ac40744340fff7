"""Files of tensors that others wrote, opened so that no code in them can run."""

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fusion.core.errors import InputError


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file by name; entries of nested dicts get dotted names.

    Args:
        path: `.safetensors`, or anything that torch saved (`.pth`, `.pt`, `.model`, `.ckpt`), which
            is opened with `weights_only=True`.

    Raises:
        InputError: the file is missing, damaged, or holds Python objects besides tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = "holds more than tensors, and opening such a file can run code from it"
        remedy = "where you trust it, open it with torch and save its state_dict() alone"
        raise InputError(path, reason, remedy) from error
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        reason = f"cannot be read as a checkpoint ({error})"
        raise InputError(path, reason, "download it again, or give another file") from error
    return dict(_tensors(content))


def _tensors(content: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        yield prefix, content
    elif isinstance(content, Mapping):
        for name, value in content.items():
            yield from _tensors(value, f"{prefix}.{name}" if prefix else str(name))
