"""CPU minutes that each method of params.yaml trains: is a comparison one of equal budgets?

    dvc exp run …; python -m benchmarks.budget --pairs 388

A few updates of every training phase on noise, timed in seconds of the processor (which other
programs on the machine do not add to), times the number of updates.
"""

import json
import time
from itertools import pairwise
from typing import Annotated

import torch
import typer

from fusion import methods
from fusion.core.memory import keep_freed_memory
from fusion.methods import PhaseConfig, TaughtPhaseConfig
from fusion.methods.base import Batch, TrainingPhase
from pipelines import params

WARM_UP, COUNTED = 2, 6


def main(pairs: Annotated[int, typer.Option(help="Training pairs.")]) -> None:
    """Print the minutes of every phase and method as JSON."""
    keep_freed_memory()
    torch.set_num_threads(1)
    settings = params.load()
    minutes: dict[str, dict[str, float]] = {}
    network = None
    for key, step in settings.training.items():
        schedule = settings.phase_settings(key)
        follows = any(step.after == f"models/{other}" for other in settings.training)
        phase = methods.get(settings.kind(step.method)).start_phase(
            step.phase,
            settings.method_config(step.method),
            schedule,
            network if follows else None,
        )
        network = phase.method
        updates = -(-pairs // schedule.batch_size)
        spent = updates * seconds_per_update_of_each_epoch(phase, schedule) / 60
        minutes.setdefault(step.method, {})[key] = round(spent, 1)
    totals = {method: round(sum(parts.values()), 1) for method, parts in minutes.items()}
    typer.echo(json.dumps({"minutes": totals, "phases": minutes}, indent=2))


def seconds_per_update_of_each_epoch(phase: TrainingPhase, schedule: PhaseConfig) -> float:
    """The sum, over a phase's epochs, of the processor seconds of one update on one thread.

    Updates are timed once after each epoch in which further weights start to learn.
    """
    starts = sorted({0, *(group.starts for group in phase.groups())})
    lengths = [end - start for start, end in pairwise([*starts, schedule.epochs])]
    spent = 0.0
    for start, length in zip(starts, lengths, strict=True):
        phase.set_epoch(start)
        spent += length * seconds_per_update(phase, schedule)
    return spent


def seconds_per_update(phase: TrainingPhase, schedule: PhaseConfig) -> float:
    """Processor seconds of one update of a phase, on one thread."""
    phase.to(memory_format=torch.channels_last)
    trained = [parameter for parameter in phase.parameters() if parameter.requires_grad]
    adam = torch.optim.Adam(trained, lr=schedule.learning_rate, fused=True)
    batch = _noise(schedule)
    started = 0.0
    for update in range(WARM_UP + COUNTED):
        if update == WARM_UP:
            started = time.process_time()
        phase(batch)["loss"].backward()
        adam.step()
        adam.zero_grad()
    return (time.process_time() - started) / COUNTED


def _noise(schedule: PhaseConfig) -> Batch:
    count, side = schedule.batch_size, schedule.crop
    taught = len(schedule.teachers) if isinstance(schedule, TaughtPhaseConfig) else 0
    infrared, visible = torch.rand(count, 1, side, side), torch.rand(count, 3, side, side)
    return Batch(infrared, visible, torch.rand(count, taught, side, side) if taught else None)


if __name__ == "__main__":
    typer.run(main)
