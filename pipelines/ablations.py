"""The paper's Table 2 from DVC experiments: their names, states and scores."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from fusion.core.errors import InputError

PRESETS = ("no_ngmm", "no_camn", "no_micm", "no_two_stage", "no_freeze", "none")
"""The rows of Table 2 in its order: I to V and the full method."""

METRICS = ("SD", "SF", "AG", "VIF")
METHOD = "pomai"
RESULTS = "results/metrics.json"

State = Literal["finished", "waiting", "failed"]
Runs = Mapping[tuple[str, int], str]


def experiment_names(
    presets: Sequence[str], seeds: Sequence[int], overrides: Sequence[str]
) -> dict[tuple[str, int], str]:
    """Names of the experiments by (preset, seed); other overrides give other names."""
    tag = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:8]
    return {
        (preset, seed): f"ablate-{tag}-{preset}-seed{seed}" for preset in presets for seed in seeds
    }


def states(shown: Sequence[Mapping[str, Any]]) -> dict[str, State]:
    """State of every named experiment in the output of `dvc exp show --json`.

    An experiment that failed and was queued again has the state of its later attempt.
    """
    found: dict[str, set[State]] = defaultdict(set)
    for name, _, state in _experiments(shown):
        found[name].add(state)
    order: tuple[State, ...] = ("finished", "waiting", "failed")
    return {name: next(s for s in order if s in had) for name, had in found.items()}


def living_workers(status: str) -> int:
    """Number of the queue's workers, busy or idle, that `dvc queue status` reports.

    Raises:
        InputError: it prints no such line.
    """
    line = re.search(r"^Worker status: (\d+) active, (\d+) idle$", status, re.MULTILINE)
    if line is None:
        reason, remedy = "does not count workers", "install the DVC that uv.lock names"
        raise InputError("dvc queue status", reason, remedy)
    return sum(map(int, line.groups()))


def begun(status: str) -> list[str]:
    """Names of the experiments that `dvc queue status` calls running."""
    rows = (line.split() for line in status.splitlines())
    return [row[1] for row in rows if len(row) > 2 and row[-1] == "Running"]


def measured(shown: Sequence[Mapping[str, Any]], runs: Runs) -> pd.DataFrame:
    """Values of all finished experiments.

    Args:
        shown: output of `dvc exp show --json`.
        runs: experiment names by (preset, seed).

    Returns:
        One row per value: preset, seed, dataset, metric, value.
    """
    results = {name: data for name, data, state in _experiments(shown) if state == "finished"}
    rows = []
    for (preset, seed), name in runs.items():
        for dataset, values in _results(results.get(name)).items():
            rows += [
                (preset, seed, dataset, metric, values[metric])
                for metric in METRICS
                if values.get(metric) is not None
            ]
    return pd.DataFrame(rows, columns=["preset", "seed", "dataset", "metric", "value"])


def table(values: pd.DataFrame) -> pd.DataFrame:
    """Table 2 as text: rows are presets, columns "<dataset> <metric>".

    A cell is the mean and, from two seeds on, ± the standard deviation (ddof 1) over the seeds.
    """
    cells = values.groupby(["preset", "dataset", "metric"], sort=False)["value"].agg(_cell)
    datasets = values["dataset"].drop_duplicates()
    columns = [(dataset, metric) for dataset in datasets for metric in METRICS]
    rows = [preset for preset in PRESETS if preset in set(values["preset"])]
    return pd.DataFrame(
        [[cells.get((row, *column), "–") for column in columns] for row in rows],
        index=pd.Index(rows, name="ablation"),
        columns=[" ".join(column) for column in columns],
    )


def _cell(values: pd.Series) -> str:
    mean = f"{values.mean():.3f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std():.3f}"


def _experiments(
    shown: Sequence[Mapping[str, Any]],
) -> list[tuple[str, Mapping[str, Any] | None, State]]:
    """(name, data, state) of every experiment; data is missing where it failed."""
    found = []
    for base in shown:
        for entry in base["experiments"] or []:
            executor = (entry["executor"] or {}).get("state")
            for revision in entry["revs"][:1]:
                failed = executor == "failed" or revision.get("error") is not None
                waiting = executor in ("queued", "running")
                state: State = "failed" if failed else "waiting" if waiting else "finished"
                found.append((revision["name"] or entry["name"], revision.get("data"), state))
    return found


def _results(data: Mapping[str, Any] | None) -> Mapping[str, Mapping[str, float]]:
    if not data or RESULTS not in (data["metrics"] or {}):
        return {}
    content: Mapping[str, Any] = data["metrics"][RESULTS].get("data", {})  # or an "error"
    found: Mapping[str, Mapping[str, float]] = content.get(METHOD, {})
    return found
