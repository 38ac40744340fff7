"""What the rows of the leaderboard cost, as tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipelines.costs import (
    FuseCost,
    ModelCost,
    TrainCost,
    fuse_cost_file,
    model_cost_file,
    train_cost_file,
)
from pipelines.rows import EarlyFusion, Precomputed, Row, Trained, Untrained

PARAMETERS, GFLOP = "parameters", "GFLOP"
_COLUMNS = [
    "method",
    PARAMETERS,
    GFLOP,
    "milliseconds",
    "device",
    "threads",
    "precision",
    "training_minutes",
    "trained_on",
    "note",
]


@dataclass(frozen=True)
class RowCost:
    """What a row of the leaderboard costs; None where it was not measured, `note` says why.

    milliseconds: the least of all data sets' measurements, because other work on the machine only
        adds to them.
    minutes: training time of all phases.
    """

    parameters: int | None = None
    gflop: float | None = None
    milliseconds: float | None = None
    device: str | None = None
    threads: int | None = None
    precision: str | None = None
    minutes: float | None = None
    trained_on: str | None = None
    note: str = ""


def read_costs(rows: Iterable[Row], datasets: Sequence[str]) -> dict[str, RowCost]:
    """The costs of all rows, by name.

    Args:
        rows: rows of the leaderboard.
        datasets: data sets that each row fused.

    Raises:
        InputError: a file is missing or damaged.
    """
    return {row.name: _row_cost(row, datasets) for row in rows}


def _row_cost(row: Row, datasets: Sequence[str]) -> RowCost:
    if isinstance(row, Precomputed):
        return RowCost(note="fused elsewhere")
    if isinstance(row, EarlyFusion):
        return RowCost(note="not fused")
    size = ModelCost.load(model_cost_file(row.name))
    timed = [FuseCost.load(fuse_cost_file(row.name, dataset)) for dataset in datasets]
    measured = [(cost.milliseconds, cost) for cost in timed if cost.milliseconds is not None]
    fastest = min(measured, key=lambda item: item[0])[1] if measured else FuseCost()
    trained = [TrainCost.load(train_cost_file(key)) for key in row.phases]
    note = "" if isinstance(row, Trained) else "trained elsewhere"
    return RowCost(
        parameters=size.parameters,
        gflop=size.gflop,
        milliseconds=fastest.milliseconds,
        device=fastest.device,
        threads=fastest.threads,
        precision=fastest.precision,
        minutes=sum(cost.seconds for cost in trained) / 60 if trained else None,
        trained_on=", ".join(dict.fromkeys(map(_trainer, trained))) or None,
        note="not trained" if isinstance(row, Untrained) else note,
    )


def _trainer(cost: TrainCost) -> str:
    return cost.device if cost.processes == 1 else f"{cost.processes} × {cost.device}"


def cost_table(costs: Mapping[str, RowCost]) -> pd.DataFrame:
    """One row per method; columns named with their units."""
    return pd.DataFrame(
        [
            {
                "method": method,
                PARAMETERS: cost.parameters,
                GFLOP: cost.gflop,
                "milliseconds": cost.milliseconds,
                "device": cost.device,
                "threads": cost.threads,
                "precision": cost.precision,
                "training_minutes": cost.minutes,
                "trained_on": cost.trained_on,
                "note": cost.note,
            }
            for method, cost in costs.items()
        ],
        columns=_COLUMNS,
    ).astype({PARAMETERS: "Int64", "threads": "Int64"})


def sizes(costs: Mapping[str, RowCost]) -> dict[str, dict[str, float | None]]:
    """Method → the costs that are the same in every run."""
    return {
        method: {PARAMETERS: cost.parameters, GFLOP: cost.gflop} for method, cost in costs.items()
    }


def times(costs: Mapping[str, RowCost]) -> dict[str, dict[str, float]]:
    """Method → measured times, those that exist; numbers for `dvc metrics`."""
    found = {
        method: {
            "milliseconds": cost.milliseconds,
            "training_minutes": None if cost.minutes is None else round(cost.minutes, 3),
        }
        for method, cost in costs.items()
    }
    return {
        method: {name: value for name, value in values.items() if value is not None}
        for method, values in found.items()
    }
