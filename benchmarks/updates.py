"""Training updates on a CPU, by this code and by another version of it.

    python -m benchmarks.updates --other /path/to/another/checkout --out result.json

PoMAI's stage one on crops of noise: forward and backward pass and Adam's step. Versions take turns,
each time in a process of its own, and the fastest update of each counts. `times_as_fast` compares
processor seconds. `largest_loss_difference` is relative, over all updates: both versions start from
the same weights and see the same crops, on one thread and on two.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.fusing import compared, in_turns, run

UPDATES = """
import json, sys, time, torch
from fusion.core.memory import keep_freed_memory
keep_freed_memory()
from fusion.methods.base import Batch
from fusion.methods.pomai.config import PoMAIConfig, PoMAIStageOnePhaseConfig
from fusion.methods.pomai.method import PoMAI
channels, heads, crop, count, updates = map(int, sys.argv[1:])
torch.manual_seed(0)
config = PoMAIConfig(channels=channels, heads=heads)
settings = PoMAIStageOnePhaseConfig(epochs=1, batch_size=count, crop=crop, learning_rate=1e-4)
last = torch.channels_last
phase = PoMAI.start_phase("stage_one", config, settings, None).to(memory_format=last)
adam = torch.optim.Adam([p for p in phase.parameters() if p.requires_grad], lr=1e-4, fused=True)
times, losses = [], []
for update in range(updates):
    torch.manual_seed(update)
    shapes = [(count, planes, crop, crop) for planes in (1, 3)]
    crops = [torch.rand(shape).contiguous(memory_format=last) for shape in shapes]
    start = time.process_time()
    loss = phase(Batch(*crops, None))["loss"]
    loss.backward()
    adam.step()
    adam.zero_grad()
    times.append(time.process_time() - start)
    losses.append(loss.item())
print(json.dumps({"seconds": min(times), "losses": losses}))
"""
"""Trains a few updates and prints the fastest one's processor seconds, and all losses."""


def main(
    other: Annotated[Path, typer.Option(help="Another checkout to compare with.")],
    channels: int = 16,
    heads: int = 4,
    crop: int = 96,
    batch_size: int = 8,
    updates: Annotated[int, typer.Option(min=2)] = 20,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    out: Path | None = None,
) -> None:
    """Measure both versions on one thread and on two; print the result as JSON."""
    versions = {"this": Path.cwd(), "other": other.resolve()}
    arguments = [str(value) for value in (channels, heads, crop, batch_size, updates)]
    losses: dict[str, list[float]] = {version: [] for version in versions}

    def measured(threads: int) -> dict[str, Any]:
        def once(version: str) -> float:
            printed = run(["-c", UPDATES, *arguments], versions[version], threads)[2]
            result = json.loads(printed)
            losses[version] += result["losses"]
            return float(result["seconds"])

        return compared(in_turns(versions, rounds, once))

    result = {
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 1),
        "network": {"channels": channels, "heads": heads, "crop": crop, "batch_size": batch_size},
        "updates": updates,
        "rounds": rounds,
        "threads": {str(threads): measured(threads) for threads in (1, 2)},
        "largest_loss_difference": max(
            abs(ours / theirs - 1)
            for ours, theirs in zip(losses["this"], losses["other"], strict=True)
        ),
    }
    typer.echo(json.dumps(result, indent=2))
    if out:
        out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
