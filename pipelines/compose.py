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
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        named = set(re.findall(r"[\w-]+", " ".join(overrides)))
        for file in sorted(_files(config), key=lambda file: file.stem not in named):
            read_yaml(file)  # names the file and the line, which Hydra does not
        remedy = "correct it, or the overrides"
        raise InputError(config, f"cannot be composed: {error}", remedy) from error
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        reason = " ".join(str(error).split("Config search path")[0].split())
        raise InputError(
            config, f"{' '.join(overrides)} cannot be composed: {reason}", "correct the overrides"
        ) from error


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
