"""Hydra composition of params.yaml, byte for byte what `dvc exp run -S …` writes."""

from collections.abc import Sequence
from pathlib import Path

from dvc.utils.hydra import compose_and_dump
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from fusion.core.errors import InputError


def compose(output: Path, overrides: Sequence[str] = (), config: Path = Path("conf")) -> None:
    """Write the parameters that `overrides` (`profile=paper`, `seed=1`, …) compose.

    Args:
        output: file to write.
        overrides: Hydra's override grammar.
        config: folder of the composition.

    Raises:
        InputError: an override names nothing that exists, or is not an override.
    """
    if not config.is_dir():
        raise InputError(config, "is missing", "run from the project's root folder")
    try:
        compose_and_dump(str(output), str(config.resolve()), None, "config", "", list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split("Config search path")[0].split())
        raise InputError(
            config, f"{' '.join(overrides)} cannot be composed: {reason}", "correct the overrides"
        ) from error
