"""Reasons why a training run stops, each with a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning.fabric import Fabric

from fusion.core.errors import InputError
from fusion.methods import PhaseConfig
from fusion.methods.base import TrainingPhase
from fusion.training.meter import Meter
from fusion.training.sampler import CropSampler


class TrainingError(InputError):
    """Training cannot continue; names the point where it stopped and a remedy."""


def require_equal_shares(fabric: Fabric, settings: PhaseConfig) -> None:
    """Refuse a batch that the processes cannot share evenly."""
    if settings.batch_size % fabric.world_size:
        raise TrainingError(
            "batch_size",
            f"{settings.batch_size} crops cannot be shared evenly by {fabric.world_size} processes",
            "batch_size is that of all processes together: choose a multiple",
        )


def require_all_at_once(fabric: Fabric, phase: TrainingPhase) -> None:
    """Refuse several processes where some weights do not learn yet: DDP expects all gradients."""
    if fabric.world_size > 1 and any(group.starts for group in phase.groups()):
        raise TrainingError(
            "runtime.devices",
            "some weights of this phase start to learn in a later epoch, which several processes "
            "cannot do",
            "train it on one device (runtime.devices=1, runtime.num_nodes=1)",
        )


def require_finite(meter: Meter, sampler: CropSampler, checkpoints: Path) -> None:
    """Stop at a loss or gradient that is not finite; names the step and its pairs."""
    bad = meter.first_bad()
    if bad:
        step, names = bad
        raise TrainingError(
            checkpoints,
            f"{', '.join(names)} not finite at step {step}, with {', '.join(sampler.names(step))}",
            "earlier checkpoints are kept here; lower learning_rate or set gradient_clip",
        )


def require_sound(phase: TrainingPhase, meter: Meter, checkpoints: Path, step: int) -> None:
    """Stop at what the phase itself reports as a fault."""
    fault = phase.fault(meter.means())
    if fault:
        raise TrainingError(checkpoints, f"{fault.reason} at step {step}", fault.remedy)


@contextmanager
def memory_explained(checkpoints: Path, step: int) -> Iterator[None]:
    """Say what to change where the device runs out of memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            checkpoints,
            f"the device is out of memory at step {step}",
            "lower batch_size or crop, set runtime.precision to bf16-mixed or "
            "runtime.device_cache to ram, or use more devices",
        ) from error
