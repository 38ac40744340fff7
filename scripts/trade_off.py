"""Compares PoMAI's sizes: fusion metrics of trained networks over the time of one pair.

    for size in "8 2" "16 1" "16 2" "16 4" "24 2" "32 1"; do
        set -- $size
        pomai repro -S profile=pairs -S 'method=[maximum,pomai]' -n size-$1-$2 \\
            -S methods.pomai.config.channels=$1 -S methods.pomai.config.blocks=$2
    done
    for run in $(dvc exp list --name-only); do
        dvc exp apply $run; pomai publish pomai sizes/$run
    done
    FUSION_DATA=… python -m scripts.trade_off sizes/* --plot docs/trade_off.svg

The networks first take turns at fusing one 480×640 pair; then each fuses the pairs of DATASET,
unstretched.
"""

import json
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import torch
import typer

from benchmarks import machine
from fusion import methods
from fusion.core.config import Config
from fusion.core.memory import keep_freed_memory
from fusion.methods.files import load_model
from fusion.methods.pomai.method import PoMAI
from scripts.measure_weights import METRICS, measure


def main(
    folders: list[Path],
    dataset: str = "tno/test",
    rounds: int = 7,
    plot: Path | None = None,
    out: Path | None = None,
) -> None:
    """Print the curve of the networks in FOLDERS as JSON (and write it to OUT, draw it to PLOT)."""
    keep_freed_memory()
    pairs = Path(os.environ["FUSION_DATA"]) / dataset
    networks = {name_of(network): network for network in map(load, folders)}
    milliseconds = times(networks, rounds)
    rows: dict[str, dict[str, float]] = {}
    for name, network in networks.items():
        typer.echo(f"{name}: {milliseconds[name]:.0f} ms", err=True)
        facts = {
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "milliseconds": round(milliseconds[name], 1),
        }
        rows[name] = facts | measure(network, pairs)["unstretched"]
    maximum = measure(methods.get("maximum")(Config()), pairs)["unstretched"]
    facts = machine.describe(torch.device("cpu"))
    result = {"machine": facts, "dataset": dataset, "maximum": maximum, "rows": rows}
    typer.echo(json.dumps(result, indent=2))
    if out:
        out.write_text(json.dumps(result, indent=2) + "\n")
    if plot:
        draw(rows, maximum, dataset, plot)


def load(folder: Path) -> PoMAI:
    """Load PoMAI from a folder or file of weights, in the pipeline's memory format."""
    network = load_model(folder)
    assert isinstance(network, PoMAI), folder
    return network.to(memory_format=torch.channels_last)


def name_of(network: PoMAI) -> str:
    """The network's size, channels × blocks."""
    return f"{network.config.channels} × {network.config.blocks}"


@torch.inference_mode()
def times(networks: dict[str, PoMAI], rounds: int) -> dict[str, float]:
    """Median milliseconds of a pair; the networks take turns, so that noise affects all alike."""
    infrared, visible = torch.rand(1, 1, 480, 640), torch.rand(1, 3, 480, 640)
    spans: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(rounds + 1):
        for name, network in networks.items():
            started = time.perf_counter()
            network(infrared, visible)
            spans[name].append(1000 * (time.perf_counter() - started))
    return {name: median(values[1:]) for name, values in spans.items()}


def draw(rows: dict[str, Any], maximum: dict[str, float], dataset: str, path: Path) -> None:
    """One panel a metric: the networks over their time, and `maximum` as a line."""
    figure, panels = plt.subplots(1, len(METRICS), figsize=(14, 3.4), layout="constrained")
    ordered = sorted(rows.items(), key=lambda item: item[1]["milliseconds"])
    fastest = ordered[0][1]["milliseconds"]
    for panel, metric in zip(panels, METRICS, strict=True):
        for number, (name, row) in enumerate(ordered):
            place = (row["milliseconds"] / fastest, row[metric])
            offset = (4, -12 if number % 2 else 4)  # neighbors' names above and below
            panel.plot(*place, "o", color="tab:blue")
            panel.annotate(name, place, offset, textcoords="offset points")
        panel.axhline(maximum[metric], color="gray", linestyle="--", label="maximum")
        panel.set(title=f"{metric} on {dataset}", xlabel="time, the fastest network's = 1")
        panel.margins(x=0.25, y=0.1)
    panels[0].legend(loc="lower right")
    figure.suptitle("PoMAI of channels × blocks")
    figure.savefig(path)


if __name__ == "__main__":
    typer.run(main)
