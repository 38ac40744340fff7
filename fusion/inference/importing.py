"""Published checkpoints -> a method with their weights and the facts for its card."""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor

from fusion import methods
from fusion.core.config import Config
from fusion.core.errors import InputError, list_names, own_words
from fusion.core.files import file_digest, require_file
from fusion.core.published import Converted, inside
from fusion.core.tensors import read_checkpoint
from fusion.methods.base import FusionMethod
from fusion.methods.registry import FOLDER

ORIGIN = "published weights, trained elsewhere"
NOT_STATED = "not stated"
LONGEST_LIST = 2**16
"""Characters: every entry of the largest network that has a table."""

_WRAPPERS = ("state_dict.", "model_state_dict.", "module.")
"""What stands before every name in files of common training loops."""


class Imported(NamedTuple):
    """A method with published weights, in eval mode on the CPU, and the facts for its card."""

    method: FusionMethod
    facts: dict[str, Any]


def importable() -> list[str]:
    """Methods that have a table of published names, sorted.

    >>> "caf" in importable(), "average" in importable()
    (True, False)
    """
    return [kind for kind in methods.names() if (FOLDER / kind / "published.py").is_file()]


def import_published(
    kind: str,
    files: Sequence[str],
    license_text: str = NOT_STATED,
    settings: Sequence[str] = (),
) -> Imported:
    """Read a published checkpoint as one of our methods.

    Args:
        kind: a method of `importable`.
        files: its files. Where the table of the method has `PARTS`, each is `part=file`.
        license_text: what the authors state about their weights; goes into the facts.
        settings: `key=value` of the method's config, in place of what the checkpoint tells.

    Raises:
        InputError: there is no such method or table; a file is missing, unsafe or damaged; the
            entries are not those of the method, and the message lists what is wrong; or a setting
            is invalid or makes another network.
    """
    table = _table(kind)
    paths, entries = _read(files, getattr(table, "PARTS", ()))
    shown = " and ".join(map(str, paths))
    try:
        converted: Converted = table.convert(entries)
    except ValueError as error:
        remedy = f"give the authors' files for {kind}, all of them and no others"
        raise InputError(shown, str(error), remedy, longest=LONGEST_LIST) from error
    _check_values(shown, converted.weights)
    method = methods.get(kind)(_with_settings(converted.config, settings))
    _load(method, converted.weights, settings)
    facts = {
        "origin": ORIGIN,
        "variant": converted.variant or None,
        "license": license_text,
        "files": [{"name": path.name, "sha256": file_digest(path)} for path in paths],
    }
    return Imported(method.eval(), facts)


def _with_settings(config: Config, settings: Sequence[str]) -> Config:
    """A config with the values of arguments `key=value`; what is no JSON is a text."""
    changes: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key in changes:
            raise InputError(setting, "is not one setting", "give KEY=VALUE, and every key once")
        try:
            changes[key] = json.loads(value)
        except (ValueError, RecursionError):
            changes[key] = value
    try:
        return type(config).model_validate({**config.model_dump(), **changes})
    except ValidationError as error:
        found = "; ".join(
            ": ".join([*map(str, item["loc"]), own_words(item["msg"])]) for item in error.errors()
        )
        known = ", ".join(sorted(type(config).model_fields))
        remedy = f"give --set KEY=VALUE with a key of {known}"
        reason = f"is no setting of the method ({found})"
        raise InputError(" ".join(settings), reason, remedy) from error


def _load(method: FusionMethod, weights: Mapping[str, Tensor], settings: Sequence[str]) -> None:
    """Put in the weights; settings may not change their shapes."""
    shapes = {name: value.shape for name, value in method.state_dict().items()}
    if shapes != {name: value.shape for name, value in weights.items()}:
        reason = "makes a network that these weights do not fit"
        raise InputError(" ".join(settings), reason, "leave it out: the weights tell their sizes")
    method.load_state_dict(weights)


def _table(kind: str) -> Any:
    """A method's module `published`."""
    known = importable()
    if kind not in known:
        exists = kind in methods.names()
        reason = "has no table of published names" if exists else "is no fusion method"
        raise InputError(kind, reason, f"choose from {', '.join(known)}")
    return import_module(f"fusion.methods.{kind}.published")


def _read(files: Sequence[str], parts: Sequence[str]) -> tuple[list[Path], dict[str, Tensor]]:
    """The paths of all files, and their entries together."""
    paths: list[Path] = []
    entries: dict[str, Tensor] = {}
    named = _by_part(files, parts) if parts else [("", file) for file in files]
    for prefix, file in named:
        path = Path(file)
        require_file(path)
        found = inside(read_checkpoint(path), *_WRAPPERS)
        own = {f"{prefix}{name}": value for name, value in found.items()}
        if twice := own.keys() & entries.keys():
            reason = f"has entries that another file also has: {list_names(twice, 3)}"
            raise InputError(path, reason, "give every file once, and of one variant only")
        entries |= own
        paths.append(path)
    return paths, entries


def _by_part(files: Sequence[str], parts: Sequence[str]) -> list[tuple[str, str]]:
    """The prefix of the names in each file, and the file, of arguments `part=file`."""
    form = " ".join(f"{part}=FILE" for part in parts)
    named: dict[str, str] = {}
    for file in files:
        part, equals, path = file.partition("=")
        if not equals or part not in parts:
            raise InputError(file, "does not say which part it is", f"give {form}")
        if part in named:
            raise InputError(file, f"is a second file for {part}", f"give {form}")
        named[part] = path
    return [(f"{part}.", path) for part, path in named.items()]


def _check_values(shown: str, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that no network can compute with.

    Raises:
        InputError: an entry has no real, finite values.
    """
    for name, value in weights.items():
        sound = value.layout == torch.strided and not (value.is_meta or value.is_complex())
        if not sound or not value.isfinite().all():
            reason = f"has no real, finite values for {name}"
            raise InputError(shown, reason, "download it again, or give another file")
