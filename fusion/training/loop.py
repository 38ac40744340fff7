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
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from fusion.core.config import RuntimeConfig
from fusion.methods import PhaseConfig
from fusion.methods.base import Batch, ParameterGroup, TrainingPhase
from fusion.methods.files import weights_of
from fusion.training.checkpoint import Checkpoint, CheckpointFolder, run_identity
from fusion.training.faults import (
    memory_explained,
    require_all_at_once,
    require_equal_shares,
    require_finite,
    require_sound,
)
from fusion.training.meter import Meter, Reporter
from fusion.training.preview import picture_grid
from fusion.training.sampler import CropSampler, PairStore, step_seed

OnEpoch = Callable[[dict[str, float]], None]
OnPictures = Callable[[int, NDArray[np.uint8]], None]


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
            the gradient norm, and the learning rate (of weights that start at once). A resumed run
            first repeats the calls for the finished epochs, so a new log is complete.
        on_pictures: called on the first process after every `pictures_every` epochs and the last,
            with the number of epochs done and a `picture_grid`; a resumed run begins with the
            pictures already made.

    Raises:
        TrainingError: the loss or its gradient is not finite, the phase reports a fault, memory
            runs out, or several processes cannot share this batch or this phase.
    """
    if settings.epochs == 0:
        return TrainingReport(0, 0, 0.0)
    require_equal_shares(fabric, settings)
    require_all_at_once(fabric, phase)
    run = _Run(fabric, phase, store, settings, runtime, seed, checkpoints)
    # looking at the losses makes a GPU wait, so there it happens rarely
    look_every = 1 if fabric.device.type == "cpu" else 20
    if fabric.is_global_zero:
        run.repeat_reports(on_epoch, on_pictures)
    with Reporter(run.first, run.total, visible=fabric.is_global_zero) as reporter:
        for step in range(run.first, run.total):
            run.update(step)
            done = step + 1
            epoch, within_epoch = divmod(done, run.sampler.steps_per_epoch)
            if within_epoch and done % look_every:
                continue
            run.look(step)
            if not fabric.is_global_zero:
                continue
            reporter.update(done, step // run.sampler.steps_per_epoch + 1, run.loss)
            if on_pictures and not within_epoch and (epoch % pictures_every == 0 or run.ends(step)):
                on_pictures(epoch, run.draw(epoch))
            run.save_if_due(step)
            if not within_epoch:
                on_epoch(run.meter.history[-1])
    fabric.barrier()
    return TrainingReport(run.total, run.first, run.seconds)


class _Run:
    """What an update changes, and what a checkpoint holds."""

    def __init__(
        self,
        fabric: Fabric,
        phase: TrainingPhase,
        store: PairStore,
        settings: PhaseConfig,
        runtime: RuntimeConfig,
        seed: int,
        checkpoints: Path,
    ) -> None:
        self.fabric, self.phase, self.settings, self.runtime = fabric, phase, settings, runtime
        self.seed, self.checkpoints = seed, checkpoints
        self.folder = CheckpointFolder(
            checkpoints, run_identity(phase, store, settings, runtime, seed)
        )
        phase.to(fabric.device)
        if runtime.channels_last:
            phase.to(memory_format=torch.channels_last)
        if runtime.compile:
            phase.compile()
        self.groups = _groups_of(phase)
        trained: list[dict[str, Any]] = [{"params": group.parameters} for group in self.groups]
        self.adam = torch.optim.Adam(trained, lr=settings.learning_rate, fused=True)
        self.module, self.optimizer = fabric.setup(phase, self.adam)
        self.meter, self.pictures = Meter(), dict[int, Tensor]()
        self.first, spent = self._resume()
        self.sampler = CropSampler(
            store.to(cache_device(store, runtime, fabric.device)),
            settings.batch_size,
            settings.crop,
            seed,
        )
        self.total = settings.epochs * self.sampler.steps_per_epoch
        self.loss = math.nan
        self.seconds = spent
        self._started = time.monotonic() - spent
        self._saved = time.monotonic()

    def update(self, step: int) -> None:
        """Draw a batch, and change the weights once."""
        for group, own in zip(self.adam.param_groups, self.groups, strict=True):
            group["lr"] = self._rate(step, own.starts)
        epoch = step // self.sampler.steps_per_epoch
        self.phase.set_epoch(epoch)
        torch.manual_seed(step_seed(self.seed, step))
        fabric = self.fabric
        with memory_explained(self.checkpoints, step):
            batch = self.sampler.batch(step, fabric.device, fabric.global_rank, fabric.world_size)
            losses = self.module(_in_format(batch, self.runtime))
            fabric.backward(losses["loss"])
            norm = _clip(self.groups, self.settings.gradient_clip, epoch)
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.meter.add(step, losses | {"gradient_norm": norm})

    def look(self, step: int) -> None:
        """Gather the losses of all processes, check them, and end the epoch if it is complete."""
        self.meter.merge(self.fabric)
        require_finite(self.meter, self.sampler, self.checkpoints)
        require_sound(self.phase, self.meter, self.checkpoints, step)
        self.loss = self.meter.means()["loss"]
        self.seconds = time.monotonic() - self._started
        if (step + 1) % self.sampler.steps_per_epoch == 0:
            self.meter.end_epoch(self._rate(step))

    def ends(self, step: int) -> bool:
        """Whether this is the last update."""
        return step + 1 == self.total

    def draw(self, epoch: int) -> NDArray[np.uint8]:
        """What the network makes of a few training pairs; kept for a resumed run."""
        grid = picture_grid(self.phase.method, self.sampler.store, self.settings.crop)
        self.pictures[epoch] = torch.from_numpy(grid)
        return grid

    def save_if_due(self, step: int) -> None:
        """Write a checkpoint every `checkpoint_seconds`, and at the end."""
        recent = time.monotonic() - self._saved < self.runtime.checkpoint_seconds
        if recent and not self.ends(step):
            return
        state = {
            "optimizer": self.adam.state_dict(),
            "meter": self.meter.state_dict(),
            "pictures": self.pictures,
            "seconds": time.monotonic() - self._started,
        }
        self.folder.save(Checkpoint(step + 1, weights_of(self.phase), state))
        self._saved = time.monotonic()

    def repeat_reports(self, on_epoch: OnEpoch, on_pictures: OnPictures | None) -> None:
        """Report the epochs before the resumed update, so that a new log is complete."""
        for means in self.meter.history:
            on_epoch(means)
        for epoch, picture in self.pictures.items():
            if on_pictures:
                on_pictures(epoch, picture.numpy())

    def _rate(self, step: int, starts: int = 0) -> float:
        return learning_rate(self.settings, step, self.sampler.steps_per_epoch, starts)

    def _resume(self) -> tuple[int, float]:
        """Load the latest checkpoint; the update to go on with, and the seconds so far."""
        latest = self.folder.latest() if self.fabric.is_global_zero else None
        found = self.fabric.broadcast(latest)
        if found is None:
            return 0, 0.0
        self.phase.load_state_dict(found.weights)
        self.adam.load_state_dict(found.state["optimizer"])
        self.meter.load_state_dict(found.state["meter"])
        self.pictures.update(found.state["pictures"])
        return found.step, found.state["seconds"]


def learning_rate(settings: PhaseConfig, step: int, steps_per_epoch: int, starts: int = 0) -> float:
    """The rate of update 0, 1, …: in steps, or along half a cosine wave, epoch by epoch.

    It does not fall below `lowest_learning_rate`. Of the first `warm_up_updates`, the n-th has
    n / `warm_up_updates` of it. The schedule of weights that start in epoch `starts` lasts from
    there to the end; before, the rate is zero.
    """
    if step < starts * steps_per_epoch:
        return 0.0
    step -= starts * steps_per_epoch
    epoch = step // steps_per_epoch
    if settings.schedule == "cosine":
        factor = (1 + math.cos(math.pi * epoch / (settings.epochs - starts))) / 2
    else:
        factor = settings.decay ** (epoch // settings.decay_epochs)
    rate = max(settings.learning_rate * factor, settings.lowest_learning_rate)
    if step < settings.warm_up_updates:
        rate *= (step + 1) / settings.warm_up_updates
    return rate


def cache_device(store: PairStore, runtime: RuntimeConfig, device: torch.device) -> torch.device:
    """Where decoded images are kept: "auto" takes the device if they fill less than half of it."""
    if device.type != "cuda" or runtime.device_cache == "ram":
        return torch.device("cpu")
    free, _ = torch.cuda.mem_get_info(device)
    fits = store.pixels.numel() + store.fused.numel() < free / 2
    return device if fits or runtime.device_cache == "device" else torch.device("cpu")


def _in_format(batch: Batch, runtime: RuntimeConfig) -> Batch:
    wanted = torch.channels_last if runtime.channels_last else torch.contiguous_format
    fused = batch.fused
    return Batch(
        batch.infrared.contiguous(memory_format=wanted),
        batch.visible.contiguous(memory_format=wanted),
        fused if fused is None else fused.contiguous(memory_format=wanted),
    )


def _groups_of(phase: TrainingPhase) -> list[ParameterGroup]:
    groups = phase.groups()
    grouped = [id(parameter) for group in groups for parameter in group.parameters]
    trained = [id(parameter) for parameter in phase.parameters() if parameter.requires_grad]
    if sorted(grouped) != sorted(trained):
        raise ValueError(
            f"{type(phase).__name__}.groups must have every parameter that requires a gradient once"
        )
    return groups


def _clip(groups: list[ParameterGroup], limit: float, epoch: int) -> Tensor:
    """Limit the gradient norm of each group (0: leave it) and return what it was of all.

    Groups that have not started lose their gradients, so Adam leaves them alone.
    """
    norms = []
    for parameters, starts in groups:
        if epoch < starts:
            for parameter in parameters:
                parameter.grad = None
            continue
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norms.append(torch.nn.utils.get_total_norm(gradients))
        if limit:
            torch.nn.utils.clip_grads_with_norm_(parameters, limit, norms[-1])
    return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
