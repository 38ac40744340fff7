"""How wide and how deep? Fusion metrics of trained PoMAIs over the time that one pair takes.

    for size in "8 2" "16 1" "16 2" "16 4" "24 2" "32 1"; do
        set -- $size
        dvc exp run --queue -S profile=pairs -S 'method=[maximum,pomai]' \\
            -S methods.pomai.config.channels=$1 -S methods.pomai.config.blocks=$2
    done
    dvc queue start     # until `dvc queue status` says Success for all
    python -m benchmarks.trade_off --plot trade_off.svg

Reads every experiment of this repository that has a PoMAI and the metrics, and times a network of
its settings at 480×640 on this machine, all in turns in one run.
"""

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import dvc.api
import matplotlib.pyplot as plt
import torch
import typer

from benchmarks import machine
from fusion.memory import keep_freed_memory
from fusion.methods.pomai import PoMAI, PoMAIConfig

METRICS = ("SD", "SF", "AG", "VIF")
CONFIG = "methods.pomai.config."


def main(
    dataset: str = "msrs",
    rounds: int = 7,
    plot: Path | None = None,
    out: Path | None = None,
) -> None:
    """Print the curve as JSON (and write it to OUT and, drawn, to PLOT)."""
    keep_freed_memory()
    trained = {
        f"{row[CONFIG + 'channels']:.0f} × {row[CONFIG + 'blocks']:.0f}": row
        for row in dvc.api.exp_show()
        if row.get("Experiment") and row.get(f"pomai.{dataset}.VIF") is not None
    }
    networks = {name: _network(row) for name, row in trained.items()}
    milliseconds = _times(networks, rounds)
    rows = {
        name: {
            "parameters": sum(parameter.numel() for parameter in networks[name].parameters()),
            "milliseconds": round(milliseconds[name], 1),
        }
        | {metric: round(row[f"pomai.{dataset}.{metric}"], 4) for metric in METRICS}
        for name, row in trained.items()
    }
    first = next(iter(trained.values()))
    maximum = {metric: first[f"maximum.{dataset}.{metric}"] for metric in METRICS}
    result = {"machine": machine.describe(torch.device("cpu")), "maximum": maximum, "rows": rows}
    typer.echo(json.dumps(result, indent=2))
    if out:
        out.write_text(json.dumps(result, indent=2) + "\n")
    if plot:
        _draw(rows, maximum, dataset, plot)


def _draw(rows: dict[str, Any], maximum: dict[str, float], dataset: str, path: Path) -> None:
    figure, panels = plt.subplots(1, len(METRICS), figsize=(14, 3.4), layout="constrained")
    for panel, metric in zip(panels, METRICS, strict=True):
        for name, row in rows.items():
            panel.plot(row["milliseconds"], row[metric], "o", color="tab:blue")
            place = (row["milliseconds"], row[metric])
            panel.annotate(name, place, (4, 4), textcoords="offset points")
        panel.axhline(maximum[metric], color="grey", linestyle="--", label="maximum")
        panel.set(title=f"{metric} on {dataset}", xlabel="ms for 480×640")
        panel.margins(x=0.2)
    panels[0].legend()
    figure.suptitle("PoMAI of channels × blocks")
    figure.savefig(path)


def _network(row: dict[str, Any]) -> PoMAI:
    channels, heads, blocks = (int(row[CONFIG + name]) for name in ("channels", "heads", "blocks"))
    torch.manual_seed(0)
    network = PoMAI(PoMAIConfig(channels=channels, heads=heads, blocks=blocks))
    return network.eval().to(memory_format=torch.channels_last)


@torch.inference_mode()
def _times(networks: dict[str, PoMAI], rounds: int) -> dict[str, float]:
    """Median milliseconds a pair; the networks take turns, so that noise meets all of them."""
    infrared, visible = torch.rand(1, 1, 480, 640), torch.rand(1, 3, 480, 640)
    spans: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(rounds + 1):
        for name, network in networks.items():
            started = time.perf_counter()
            network(infrared, visible)
            spans[name].append(1000 * (time.perf_counter() - started))
    return {name: median(values[1:]) for name, values in spans.items()}


if __name__ == "__main__":
    typer.run(main)
