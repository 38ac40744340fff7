"""The training loop of every method: one phase, from its first update to its last.

A run is a function of its phase, its pairs, its settings and its seed: each step seeds the random
generators from (seed, step) and draws its crops from (seed, step), so a run that was killed and
resumed ends with the weights of one that never stopped.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning.fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from torch import Tensor

from fusion.checkpoint import Checkpoint, CheckpointFolder
from fusion.methods import Batch, PhaseConfig, TrainingPhase
from fusion.runtime import RuntimeConfig
from fusion.sampler import CropSampler, PairStore

OnEpoch = Callable[[dict[str, float]], None]


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stopped and what to change."""


@dataclass(frozen=True)
class TrainingReport:
    """What a run did: updates in all, and the update it resumed from (0: a fresh start)."""

    updates: int
    resumed_from: int


def launch(runtime: RuntimeConfig) -> Fabric:
    """Start the processes that `runtime` asks for; every one of them returns from here.

    With several nodes, `torchrun` starts the processes and Fabric finds itself among them.
    """
    fabric = Fabric(
        accelerator=runtime.accelerator,
        devices=runtime.devices,
        num_nodes=runtime.num_nodes,
        precision=runtime.precision,
        strategy="ddp" if runtime.devices * runtime.num_nodes > 1 else "auto",
    )
    fabric.launch()
    return fabric


def train_phase(
    fabric: Fabric,
    phase: TrainingPhase,
    store: PairStore,
    settings: PhaseConfig,
    *,
    runtime: RuntimeConfig,
    seed: int,
    checkpoints: Path,
    on_epoch: OnEpoch = lambda _: None,
) -> TrainingReport:
    """Train a phase in place.

    Args:
        fabric: launched.
        phase: its parameters that require a gradient are trained, all others stay bit-identical.
        store: the training pairs.
        settings: schedule; `batch_size` is that of all processes together.
        runtime: precision and speed.
        seed: of crops and of everything random in the phase.
        checkpoints: folder of this run's checkpoints.
        on_epoch: called on the first process after every epoch with the means of all losses and of
            the gradient norm, and the learning rate.

    Raises:
        TrainingError: the loss is not finite, memory runs out, or the batch cannot be shared.
    """
    if settings.epochs == 0:
        return TrainingReport(0, 0)
    if settings.batch_size % fabric.world_size:
        raise TrainingError(
            f"batch_size {settings.batch_size} cannot be shared by {fabric.world_size} processes"
        )
    folder = CheckpointFolder(checkpoints, run_identity(phase, store, settings, runtime, seed))
    trained = [parameter for parameter in phase.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=settings.learning_rate)
    first = _resume(folder, phase, optimizer)
    if runtime.channels_last:
        phase.to(memory_format=torch.channels_last)
    if runtime.compile:
        phase.compile()
    module, optimizer = fabric.setup(phase, optimizer)
    store = store.to(cache_device(store, runtime, fabric.device))
    sampler = CropSampler(store, settings.batch_size, settings.crop, seed)
    total = settings.epochs * sampler.steps_per_epoch
    means, saved = _Means(), time.monotonic()
    for step in _with_progress(fabric, first, total):
        epoch, position = divmod(step, sampler.steps_per_epoch)
        rate = settings.learning_rate * settings.decay ** (epoch // settings.decay_epochs)
        for group in optimizer.param_groups:
            group["lr"] = rate

        torch.manual_seed(step_seed(seed, step))
        batch = sampler.batch(step, fabric.device, fabric.global_rank, fabric.world_size)
        with _explained(step, sampler, checkpoints):
            losses = module(_in_format(batch, runtime))
            fabric.backward(losses["loss"])
            norm = torch.nn.utils.clip_grad_norm_(trained, settings.gradient_clip or torch.inf)
            _require_finite(losses | {"gradient_norm": norm})
        optimizer.step()
        optimizer.zero_grad()

        means.add(losses | {"gradient_norm": norm})
        if position + 1 == sampler.steps_per_epoch and fabric.is_global_zero:
            on_epoch(means.take() | {"learning_rate": rate})
        due = time.monotonic() - saved >= runtime.checkpoint_seconds or step + 1 == total
        if due and fabric.is_global_zero:
            folder.save(Checkpoint(step + 1, _weights(phase), optimizer.state_dict()))
            saved = time.monotonic()
    fabric.barrier()
    return TrainingReport(total, first)


def step_seed(seed: int, step: int) -> int:
    """Seed of everything random inside one step's forward pass; the same in all processes."""
    return int(np.random.SeedSequence((seed, 2, step)).generate_state(1, np.uint64)[0] >> 1)


def cache_device(store: PairStore, runtime: RuntimeConfig, device: torch.device) -> torch.device:
    """Where decoded images are kept: "auto" takes the device if they fill less than half of it."""
    if device.type != "cuda" or runtime.device_cache == "ram":
        return torch.device("cpu")
    free, _ = torch.cuda.mem_get_info(device)
    fits = store.pixels.numel() < free / 2
    return device if fits or runtime.device_cache == "device" else torch.device("cpu")


def run_identity(
    phase: TrainingPhase, store: PairStore, settings: PhaseConfig, runtime: RuntimeConfig, seed: int
) -> str:
    """Digest of everything that decides a run's result: initial weights, pairs, settings, seed."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(settings.model_dump_json().encode())
    speed = runtime.precision, runtime.compile, runtime.channels_last
    digest.update(repr((type(phase).__name__, seed, speed, store.names)).encode())
    digest.update(store.pixels.cpu().numpy().data)
    for name, value in phase.state_dict().items():
        digest.update(name.encode())
        digest.update(value.contiguous().cpu().numpy().data)
    return digest.hexdigest()


def _resume(
    folder: CheckpointFolder, phase: TrainingPhase, optimizer: torch.optim.Optimizer
) -> int:
    found = folder.latest()
    if found is None:
        return 0
    phase.load_state_dict(found.weights)
    optimizer.load_state_dict(found.optimizer)
    return found.step


def _weights(phase: TrainingPhase) -> dict[str, Tensor]:
    return {name: value.contiguous().cpu() for name, value in phase.state_dict().items()}


def _in_format(batch: Batch, runtime: RuntimeConfig) -> Batch:
    wanted = torch.channels_last if runtime.channels_last else torch.contiguous_format
    return Batch(*(images.contiguous(memory_format=wanted) for images in batch))


def _require_finite(values: dict[str, Tensor]) -> None:
    if not all(value.isfinite() for value in values.values()):
        shown = ", ".join(f"{name} {value.item():g}" for name, value in values.items())
        raise FloatingPointError(shown)


@contextmanager
def _explained(step: int, sampler: CropSampler, checkpoints: Path) -> Iterator[None]:
    """Turn what can go wrong in an update into words."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"out of memory at step {step}: lower batch_size or crop, or set runtime.precision "
            "to bf16-mixed"
        ) from error
    except FloatingPointError as error:
        names = ", ".join(sampler.store.names[i] for i in sampler.images(step).tolist())
        raise TrainingError(
            f"not finite at step {step}: {error}; the batch was {names}; lower the learning rate "
            f"or clip gradients; the last good checkpoint is kept in {checkpoints}"
        ) from error


class _Means:
    """Means of named scalars since the last `take`; adding waits for no device."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value.detach()
        self.count += 1

    def take(self) -> dict[str, float]:
        means = {name: float(total) / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means


def _with_progress(fabric: Fabric, first: int, total: int) -> Iterator[int]:
    """Steps `first` to `total`, with a bar and a time to go on the first process's terminal."""
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    hidden = not (fabric.is_global_zero and sys.stderr.isatty())
    with Progress(*columns, console=Console(stderr=True), disable=hidden) as progress:
        task = progress.add_task("training", total=total, completed=first)
        for step in range(first, total):
            yield step
            progress.advance(task)
