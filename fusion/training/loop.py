"""The training loop of every method: one phase, from its first update to its last.

A run is a function of its phase, its pairs, its settings and its seed: each step seeds the random
generators from (seed, step) and draws its crops from (seed, step), so a run that was killed and
resumed ends with the weights of one that never stopped.

Several devices on one machine: `runtime.devices: N`; the command that calls `launch` is started
once more for each additional process. Several machines: `runtime.num_nodes: M`, and on each machine
`torchrun --nnodes M --nproc-per-node N --rdzv-backend c10d --rdzv-endpoint HOST:PORT -m …`.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError
from fusion.methods import PhaseConfig
from fusion.methods.base import Batch, TrainingPhase
from fusion.methods.files import weights_of
from fusion.training.checkpoint import Checkpoint, CheckpointFolder, run_identity
from fusion.training.meter import Meter, Reporter
from fusion.training.preview import picture_grid
from fusion.training.sampler import CropSampler, PairStore, step_seed

OnEpoch = Callable[[dict[str, float]], None]
OnPictures = Callable[[int, NDArray[np.uint8]], None]


class TrainingError(InputError):
    """Training cannot continue; names the point where it stopped and a remedy."""


class TrainingReport(NamedTuple):
    """What a run did.

    updates: in all.
    resumed_from: the update it resumed from; 0 for a fresh start.
    seconds: of training, those before the resumed update included.
    """

    updates: int
    resumed_from: int
    seconds: float


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
    on_pictures: OnPictures | None = None,
    pictures_every: int = 10,
) -> TrainingReport:
    """Train a phase in place.

    Args:
        fabric: a launched Fabric.
        phase: its parameters that require a gradient are trained, all others stay bit-identical.
        store: the training pairs.
        settings: schedule; `batch_size` is that of all processes together.
        runtime: precision and speed.
        seed: of crops and of everything random in the phase.
        checkpoints: folder of checkpoints; one is written every `runtime.checkpoint_seconds` and
            at the end.
        on_epoch: called on the first process after every epoch with the means of all losses and of
            the gradient norm, and the learning rate. A resumed run first repeats the calls for the
            finished epochs, so a new log is complete.
        on_pictures: called on the first process after every `pictures_every` epochs and the last,
            with the number of epochs done and a `picture_grid`; a resumed run begins with the
            pictures already made.

    Raises:
        TrainingError: the loss or its gradient is not finite, the phase reports a fault, memory
            runs out, or the batch cannot be shared evenly.
    """
    if settings.epochs == 0:
        return TrainingReport(0, 0, 0.0)
    _require_equal_shares(fabric, settings)
    folder = CheckpointFolder(checkpoints, run_identity(phase, store, settings, runtime, seed))
    phase.to(fabric.device)
    if runtime.channels_last:
        phase.to(memory_format=torch.channels_last)
    if runtime.compile:
        phase.compile()
    trained = [parameter for parameter in phase.parameters() if parameter.requires_grad]
    adam = torch.optim.Adam(trained, lr=settings.learning_rate, fused=True)
    module, optimizer = fabric.setup(phase, adam)
    meter = Meter()
    pictures: dict[int, Tensor] = {}
    first, spent = _resume(fabric, folder, phase, adam, meter, pictures)
    started = time.monotonic() - spent
    sampler = CropSampler(
        store.to(cache_device(store, runtime, fabric.device)),
        settings.batch_size,
        settings.crop,
        seed,
    )
    total = settings.epochs * sampler.steps_per_epoch
    # looking at the losses makes a GPU wait, so there it happens rarely
    look_every = 1 if fabric.device.type == "cpu" else 20
    saved = time.monotonic()
    if fabric.is_global_zero:
        for means in meter.history:
            on_epoch(means)
        for epoch, picture in pictures.items():
            _show(on_pictures, epoch, picture)

    with Reporter(first, total, visible=fabric.is_global_zero) as reporter:
        for step in range(first, total):
            rate = learning_rate(settings, step, sampler.steps_per_epoch)
            for group in adam.param_groups:
                group["lr"] = rate
            torch.manual_seed(step_seed(seed, step))
            with _memory_explained(checkpoints, step):
                batch = sampler.batch(step, fabric.device, fabric.global_rank, fabric.world_size)
                losses = module(_in_format(batch, runtime))
                fabric.backward(losses["loss"])
                norm = _clip(trained, settings.gradient_clip)
                optimizer.step()
                optimizer.zero_grad()
            meter.add(step, losses | {"gradient_norm": norm})

            done = step + 1
            epoch, within_epoch = divmod(done, sampler.steps_per_epoch)
            if within_epoch and done % look_every:
                continue
            meter.merge(fabric)
            _require_finite(meter, sampler, checkpoints)
            _require_sound(phase, meter, checkpoints, step)
            if fabric.is_global_zero:
                reporter.update(done, step // sampler.steps_per_epoch + 1, meter.means()["loss"])
            if not within_epoch:
                meter.end_epoch(rate)
            pictured = not within_epoch and (epoch % pictures_every == 0 or done == total)
            if on_pictures and fabric.is_global_zero and pictured:
                made = picture_grid(phase.method, sampler.store, settings.crop)
                pictures[epoch] = torch.from_numpy(made)
                _show(on_pictures, epoch, pictures[epoch])
            due = done == total or time.monotonic() - saved >= runtime.checkpoint_seconds
            if fabric.is_global_zero and due:
                state = {
                    "optimizer": adam.state_dict(),
                    "meter": meter.state_dict(),
                    "pictures": pictures,
                    "seconds": time.monotonic() - started,
                }
                folder.save(Checkpoint(done, weights_of(phase), state))
                saved = time.monotonic()
            if fabric.is_global_zero and not within_epoch:
                on_epoch(meter.history[-1])
    fabric.barrier()
    seconds = time.monotonic() - started if first < total else spent
    return TrainingReport(total, first, seconds)


def learning_rate(settings: PhaseConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of update 0, 1, …: in steps, or along half a cosine wave, epoch by epoch.

    Of the first `warm_up_updates`, the n-th has n / `warm_up_updates` of it.
    """
    epoch = step // steps_per_epoch
    if settings.schedule == "cosine":
        factor = (1 + math.cos(math.pi * epoch / settings.epochs)) / 2
    else:
        factor = settings.decay ** (epoch // settings.decay_epochs)
    if step < settings.warm_up_updates:
        factor *= (step + 1) / settings.warm_up_updates
    return settings.learning_rate * factor


def cache_device(store: PairStore, runtime: RuntimeConfig, device: torch.device) -> torch.device:
    """Where decoded images are kept: "auto" takes the device if they fill less than half of it."""
    if device.type != "cuda" or runtime.device_cache == "ram":
        return torch.device("cpu")
    free, _ = torch.cuda.mem_get_info(device)
    fits = store.pixels.numel() < free / 2
    return device if fits or runtime.device_cache == "device" else torch.device("cpu")


def _require_equal_shares(fabric: Fabric, settings: PhaseConfig) -> None:
    if settings.batch_size % fabric.world_size:
        raise TrainingError(
            "batch_size",
            f"{settings.batch_size} crops cannot be shared evenly by {fabric.world_size} processes",
            "batch_size is that of all processes together: choose a multiple",
        )


def _resume(
    fabric: Fabric,
    folder: CheckpointFolder,
    phase: TrainingPhase,
    adam: torch.optim.Adam,
    meter: Meter,
    pictures: dict[int, Tensor],
) -> tuple[int, float]:
    """Load the latest checkpoint into all processes; the update to go on with, seconds so far."""
    found = fabric.broadcast(folder.latest() if fabric.is_global_zero else None)
    if found is None:
        return 0, 0.0
    phase.load_state_dict(found.weights)
    adam.load_state_dict(found.state["optimizer"])
    meter.load_state_dict(found.state["meter"])
    pictures.update(found.state["pictures"])
    return found.step, found.state["seconds"]


def _show(on_pictures: OnPictures | None, epoch: int, grid: Tensor) -> None:
    if on_pictures:
        on_pictures(epoch, grid.numpy())


def _in_format(batch: Batch, runtime: RuntimeConfig) -> Batch:
    wanted = torch.channels_last if runtime.channels_last else torch.contiguous_format
    fused = batch.fused
    return Batch(
        batch.infrared.contiguous(memory_format=wanted),
        batch.visible.contiguous(memory_format=wanted),
        fused if fused is None else fused.contiguous(memory_format=wanted),
    )


def _clip(parameters: list[torch.nn.Parameter], limit: float) -> Tensor:
    """Limit the global gradient norm (0: leave it) and return what it was."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if limit:
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
    return norm


def _require_finite(meter: Meter, sampler: CropSampler, checkpoints: Path) -> None:
    bad = meter.first_bad()
    if bad:
        step, names = bad
        raise TrainingError(
            checkpoints,
            f"{', '.join(names)} not finite at step {step}, with {', '.join(sampler.names(step))}",
            "earlier checkpoints are kept here; lower learning_rate or set gradient_clip",
        )


def _require_sound(phase: TrainingPhase, meter: Meter, checkpoints: Path, step: int) -> None:
    fault = phase.fault(meter.means())
    if fault:
        raise TrainingError(checkpoints, f"{fault.reason} at step {step}", fault.remedy)


@contextmanager
def _memory_explained(checkpoints: Path, step: int) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            checkpoints,
            f"the device is out of memory at step {step}",
            "lower batch_size or crop, set runtime.precision to bf16-mixed or "
            "runtime.device_cache to ram, or use more devices",
        ) from error
