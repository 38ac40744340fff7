"""Hydra composition of params.yaml, byte for byte what `dvc exp run -S …` writes."""

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from dvc.utils.hydra import compose_and_dump
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from fusion.core.errors import InputError
from fusion.core.files import read_bytes, require_writable, write_bytes
from pipelines.strict_yaml import LIMIT, read_yaml

_PACKAGE = b"# @package _global_"
"""Puts a profile's settings at the top of params.yaml."""


def compose(output: Path, overrides: Sequence[str] = (), config: Path = Path("conf")) -> None:
    """Write the parameters that `overrides` (`profile=paper`, `seed=1`, …) compose.

    Args:
        output: file to write.
        overrides: Hydra's override grammar.
        config: folder of the composition.

    Raises:
        InputError: an override names an unknown key or is not an override; a file of the
            composition is not UTF-8 without a byte order mark, or not valid YAML; `output` cannot
            be written.
    """
    if not config.is_dir():
        raise InputError(config, "is missing", "run from the project's root folder")
    require_writable(output)
    _refuse_misplaced(config)
    write_bytes(output, _composed(overrides, config))


def _composed(overrides: Sequence[str], config: Path) -> bytes:
    """The content of params.yaml."""
    try:
        with TemporaryDirectory() as folder:
            made = Path(folder) / "params.yaml"
            compose_and_dump(str(made), str(config.resolve()), None, "config", "", list(overrides))
            return made.read_bytes()
    except _REFUSALS as error:
        named = set(re.findall(r"[\w-]+", " ".join(overrides)))
        for file in sorted(_files(config), key=lambda file: file.stem not in named):
            _require_sound(file)
        reason = " ".join(str(error).split("Config search path")[0].split())
        raise InputError(
            config, f"{' '.join(overrides)} cannot be composed: {reason}", "correct the overrides"
        ) from error


_REFUSALS = (
    *(yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError),
    *(HydraException, OmegaConfBaseException),
    *(AssertionError, OSError),  # Hydra's, of files that hold no mapping or no names
)


def _require_sound(file: Path) -> None:
    """Reject a file that Hydra cannot use, by its own name and line."""
    content = read_yaml(file)
    if not isinstance(content, dict | None):
        raise InputError(file, "holds no mapping", "give keys and values")
    defaults = (content or {}).get("defaults", [])
    if not isinstance(defaults, list) or not all(map(_is_default, defaults)):
        remedy = "list names, or `group: name`"
        raise InputError(file, "has `defaults` that name no files", remedy)


def _is_default(item: object) -> bool:
    """Whether Hydra takes an item of a `defaults` list: a name, or one group with its names."""
    if not isinstance(item, dict):
        return isinstance(item, str)
    if len(item) != 1:
        return False
    [(group, names)] = item.items()
    chosen = names if isinstance(names, list) else [names]
    return isinstance(group, str) and all(isinstance(name, str | None) for name in chosen)


def _files(config: Path) -> list[Path]:
    return sorted(config.rglob("*.yaml"))


def _refuse_misplaced(config: Path) -> None:
    """Reject files that Hydra would put elsewhere in the result without a word.

    A byte order mark hides `@package`, and a profile without it is left out of the result.
    """
    for file in _files(config):
        content = read_bytes(file, LIMIT)
        if content.startswith(b"\xef\xbb\xbf"):
            reason = "begins with a byte order mark, which hides its first line"
            raise InputError(file, reason, "save it as UTF-8 without a byte order mark")
        misplaced = file.parent == config / "profile" and _PACKAGE not in content
        if misplaced and _is_utf8(content):
            reason = f"has no line `{_PACKAGE.decode()}`, and its settings would be lost"
            raise InputError(file, reason, "begin it with that line")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
