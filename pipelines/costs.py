"""Costs of a row of the leaderboard, as three stages measure them: size and time.

Parameters and operations are the same in every run. Times are not, so they are kept apart from the
scores: measuring them again changes `costs/`, `results/costs.csv` and `results/times.json`, and no
file of accuracies.
"""

from pathlib import Path
from typing import Self

from pydantic import ValidationError

from fusion.core.config import Config
from fusion.core.errors import InputError
from fusion.core.files import read_bytes, write_bytes
from pipelines.paths import COSTS

_LIMIT = 2**20


class _Cost(Config):
    """The base of the three costs: a small JSON file each."""

    def save(self, path: Path) -> None:
        """Write the file; its folder is created if missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, f"{self.model_dump_json(indent=2)}\n".encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file that `save` wrote.

        Raises:
            InputError: it is missing, damaged, or written by another version of the code.
        """
        try:
            return cls.model_validate_json(read_bytes(path, _LIMIT))
        except ValidationError as error:
            reason = f"is damaged or of another version ({error.errors()[0]['msg']})"
            raise InputError(path, reason, "run `dvc repro`, which measures it again") from error


class ModelCost(_Cost):
    """Size of a method; None where it cannot be known.

    parameters: number of learned values.
    gflop: 10⁹ floating-point operations for a pair of 480×640 pixels; see
        `fusion.inference.cost.count_flops`.
    """

    parameters: int | None
    gflop: float | None


class FuseCost(_Cost):
    """Time to fuse a pair of 480×640 pixels; None for images fused elsewhere.

    See `fusion.inference.cost.Timing`; `precision` is that of `runtime`.
    """

    milliseconds: float | None = None
    device: str | None = None
    threads: int | None = None
    precision: str | None = None


class TrainCost(_Cost):
    """Time of one training phase.

    seconds: from the first update to the last, those of interrupted runs included.
    device: name of the processor or GPU.
    processes: how many trained together.
    """

    seconds: float
    device: str
    processes: int


def model_cost_file(method: str) -> Path:
    """The file of a `ModelCost`."""
    return COSTS / f"model-{method}.json"


def fuse_cost_file(method: str, dataset: str) -> Path:
    """The file of a `FuseCost`."""
    return COSTS / f"fuse-{method}-{dataset}.json"


def train_cost_file(key: str) -> Path:
    """The file of a `TrainCost`."""
    return COSTS / f"train-{key}.json"
