"""What the networks cost: parameters, operations and time of one 480×640 pair.

    python -m benchmarks.networks pomai-tiny models/itfuse-published segmif … --out costs.json

A network is a released one, a model folder, or a method's name: then it has the authors' size and
untrained weights. Times are seconds of the processor on one thread, which other programs on the
machine add little to; rounds go through the networks in turn, and the fastest round counts. Ratios
are to the first network. Operations are those of convolutions and matrix products, as torch counts
them: two for a multiplication with its addition.
"""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks import machine
from benchmarks.inference import make_pair
from fusion import methods
from fusion.core.memory import keep_freed_memory
from fusion.inference.pretrained import load, released_networks
from fusion.methods.base import FusionMethod

HEIGHT, WIDTH = 480, 640


def main(
    networks: Annotated[list[str], typer.Argument(help="The first is the reference.")],
    rounds: Annotated[int, typer.Option(min=1)] = 2,
    out: Path | None = None,
) -> None:
    """Measure NETWORKS; print the result as JSON (and write it to OUT)."""
    keep_freed_memory()
    torch.set_num_threads(1)
    rows = measure({Path(name).name: build(name) for name in networks}, rounds, HEIGHT, WIDTH)
    facts = {"size": [HEIGHT, WIDTH], "rounds": rounds, "torch": torch.__version__}
    text = json.dumps({**facts, "networks": rows}, indent=2)
    typer.echo(text)
    if out:
        out.write_text(text + "\n")


def build(name: str) -> FusionMethod[Any]:
    """A network in eval mode, in the memory format that fusing uses."""
    if name in released_networks() or Path(name).exists():
        return load(name if name in released_networks() else Path(name)).method.eval()
    kind = methods.get(name)
    network: FusionMethod[Any] = kind(kind.config_class()).eval()
    return network.to(memory_format=torch.channels_last)


def measure(
    networks: dict[str, FusionMethod[Any]], rounds: int, height: int, width: int
) -> dict[str, dict[str, float]]:
    """Name -> parameters, gflop, cpu_ms and ratio."""
    pair = make_pair(height, width)
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    flops = {}
    with torch.inference_mode():
        for name, network in networks.items():  # also warms the network up
            flops[name] = machine.work_of(lambda network=network: network(*pair))[0]
        for _ in range(rounds):
            for name, network in networks.items():
                started = time.process_time()
                network(*pair)
                seconds[name].append(time.process_time() - started)
    reference = min(next(iter(seconds.values())))
    return {
        name: {
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "gflop": float(f"{flops[name] / 1e9:.4g}"),
            "cpu_ms": round(1000 * min(seconds[name]), 1),
            "ratio": round(min(seconds[name]) / reference, 2),
        }
        for name, network in networks.items()
    }


if __name__ == "__main__":
    typer.run(main)
