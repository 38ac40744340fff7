"""The paper's Table 2 from DVC experiments: their names and scores."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

PRESETS = ("no_ngmm", "no_camn", "no_micm", "no_two_stage", "no_freeze", "none")
"""The rows of Table 2 in its order: I to V and the full method."""

METRICS = ("SD", "SF", "AG", "VIF")
METHOD = "pomai"
RESULTS = "results/metrics.json"

Runs = Mapping[tuple[str, int], str]


def experiment_names(
    presets: Sequence[str], seeds: Sequence[int], overrides: Sequence[str]
) -> dict[tuple[str, int], str]:
    """Names of the experiments by (preset, seed); other overrides give other names."""
    tag = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:8]
    return {
        (preset, seed): f"ablate-{tag}-{preset}-seed{seed}" for preset in presets for seed in seeds
    }


def finished(shown: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What `dvc exp show --json` printed of each experiment that ended well, by name."""
    found = {}
    for base in shown:
        for entry in base["experiments"] or []:
            state = (entry["executor"] or {}).get("state")
            first = entry["revs"][0]
            if state in (None, "success") and first.get("error") is None:
                found[first["name"] or entry["name"]] = first["data"]
    return found


def measured(shown: Sequence[Mapping[str, Any]], runs: Runs) -> pd.DataFrame:
    """Values of all finished experiments.

    Args:
        shown: output of `dvc exp show --json`.
        runs: experiment names by (preset, seed).

    Returns:
        One row per value: preset, seed, dataset, metric, value.
    """
    results = finished(shown)
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


def _results(data: Mapping[str, Any] | None) -> Mapping[str, Mapping[str, float]]:
    if not data or RESULTS not in (data["metrics"] or {}):
        return {}
    content: Mapping[str, Any] = data["metrics"][RESULTS].get("data", {})  # or an "error"
    found: Mapping[str, Mapping[str, float]] = content.get(METHOD, {})
    return found
