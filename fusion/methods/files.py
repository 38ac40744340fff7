"""A fusion method on disk: weights in safetensors and a card that describes them."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from fusion import methods
from fusion.core.errors import InputError, list_names
from fusion.core.files import read_bytes, require_file, write_bytes
from fusion.methods.base import FusionMethod

WEIGHTS = "weights.safetensors"
CARD = "card.json"
CARD_LIMIT = 2**22
"""Bytes."""


def save_model(folder: Path, kind: str, method: FusionMethod, facts: dict[str, Any]) -> None:
    """Write a method so that `load_model` can rebuild it.

    Args:
        folder: receives `weights.safetensors` (if the method has weights) and, last, `card.json`.
        kind: the method's registered name.
        method: what to save.
        facts: JSON-able additions to the card: data, training, commit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = weights_of(method)
    if state:
        write_bytes(folder / WEIGHTS, save(state))
    described = {
        "config": method.config.model_dump(mode="json"),
        "parameters": sum(parameter.numel() for parameter in method.parameters()),
    }
    save_card(folder, kind, described | facts)


def save_card(folder: Path, kind: str, facts: dict[str, Any]) -> None:
    """Write `card.json`, a method's name and facts."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"method": kind, **facts}, indent=2) + "\n"
    write_bytes(folder / CARD, content.encode())


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """A module's state on the CPU; tensors are contiguous and separate, as safetensors requires.

    Modules may share tensors (one stem for both modalities); here they are copies.
    """
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in module.state_dict().items()
    }


def load_model(source: Path) -> FusionMethod:
    """Rebuild a saved method, in eval mode on the CPU.

    Args:
        source: as in `files_of`.

    Raises:
        InputError: a file is missing or damaged, the method is unknown, or weights and settings
            do not match.
    """
    weights, card_path = files_of(source)
    card = read_card(source)
    try:
        kind = methods.get(card["method"])
        config = kind.config_class.model_validate_json(json.dumps(card["config"]))
        with torch.device("meta"):
            shapes = _shapes(kind(config))
    except InputError:  # the method's own code
        raise
    except ValidationError as error:
        found = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        reason = f"describes no method known here ({'; '.join(found)})"
        raise InputError(card_path, reason, "train again") from error
    except (KeyError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        reason = f"describes an unknown method ({error})"
        raise InputError(card_path, reason, "train again") from error
    if not shapes:
        return kind(config).eval()
    _require_shapes(weights, shapes)  # before memory is taken for them
    method = kind(config)
    _load_weights(method, weights)
    return method.eval()


def files_of(source: Path) -> tuple[Path, Path]:
    """Weights and card of a saved method: a folder's, or `<name>.safetensors` and its `.json`."""
    if source.suffix == ".safetensors":
        return source, source.with_suffix(".json")
    return source / WEIGHTS, source / CARD


def read_card(source: Path) -> dict[str, Any]:
    """The card of a saved method.

    Raises:
        InputError: it is missing or not JSON.
    """
    path = files_of(source)[1]
    if not os.path.lexists(path):
        raise InputError(path, "is missing", "train the method, or put the card beside its weights")
    content = read_bytes(path, CARD_LIMIT)
    try:
        card = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"cannot be read ({error})", "train the method") from error
    if not isinstance(card, dict):
        raise InputError(path, "describes no method: it is no JSON object", "train the method")
    return card


def copy_model(source: Path, folder: Path) -> None:
    """Copy a saved method, in either form, into a folder; the card last."""
    read_card(source)
    folder.mkdir(parents=True, exist_ok=True)
    for path, name in zip(files_of(source), (WEIGHTS, CARD), strict=True):
        require_file(path)
        shutil.copyfile(path, folder / name)


Shape = tuple[int, ...]


def _shapes(method: FusionMethod) -> dict[str, Shape]:
    return {name: tuple(value.shape) for name, value in method.state_dict().items()}


def _require_shapes(path: Path, wanted: dict[str, Shape]) -> None:
    """Compare what a file of weights declares with what a network has; reads the header only."""
    if not os.path.lexists(path):
        raise InputError(path, "is missing, but its card exists", "put it beside the card")
    require_file(path)
    try:
        with safe_open(path, "pt") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(path, f"cannot be read ({error})", "train again") from error
    if names := [name for name in wanted | found if wanted.get(name) != found.get(name)]:
        first = f"{names[0]}: {found.get(names[0])} instead of {wanted.get(names[0])}"
        reason = f"does not match its card ({list_names(names, 3)}; {first})"
        raise InputError(path, reason, "train again")


def _require_finite(path: Path, parameters: Mapping[str, Tensor]) -> None:
    """Refuse weights that were rounded to integers, or of a training that failed."""
    for name, value in parameters.items():
        if not value.is_floating_point():
            reason = f"has weights of type {str(value.dtype).removeprefix('torch.')} ({name})"
            raise InputError(path, reason, "store them as float32")
        if not value.float().isfinite().all():
            raise InputError(path, f"has weights that are not finite ({name})", "train again")


def _load_weights(method: FusionMethod, path: Path) -> None:
    try:
        state = load_file(path)
        _require_finite(path, {name: state[name] for name, _ in method.named_parameters()})
        method.load_state_dict(state)
    except (OSError, SafetensorError) as error:
        raise InputError(path, f"cannot be read ({error})", "train again") from error
    except RuntimeError as error:
        reason = f"does not match its card ({error})"
        raise InputError(path, reason, "train again") from error
