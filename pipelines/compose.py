"""Hydra composition of params.yaml, byte for byte what `dvc exp run -S …` writes."""

from collections.abc import Sequence
from pathlib import Path

from dvc.utils.hydra import compose_and_dump


def compose(output: Path, overrides: Sequence[str] = (), config: Path = Path("conf")) -> None:
    """Write the parameters that `overrides` (`profile=paper`, `seed=1`, …) compose.

    Args:
        output: file to write.
        overrides: Hydra's override grammar.
        config: folder of the composition.
    """
    compose_and_dump(str(output), str(config.resolve()), None, "config", "", list(overrides))
