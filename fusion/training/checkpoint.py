"""Checkpoints of a training run; each is complete or absent."""

import hashlib
import inspect
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safetensors
from torch import Tensor

from fusion.core.code import code_digest
from fusion.core.config import RuntimeConfig
from fusion.core.snapshots import Snapshot, SnapshotFolder
from fusion.methods import PhaseConfig
from fusion.methods.base import TrainingPhase
from fusion.methods.files import weights_of
from fusion.training.sampler import PairStore

WEIGHTS, STATE = "weights.safetensors", "state.pt"


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` updates.

    weights: weights of the phase.
    state: everything else that the run needs to continue (optimizer, means of the running epoch):
        tensors, numbers, strings and containers of these, so loading it runs no code.
    """

    step: int
    weights: dict[str, Tensor]
    state: dict[str, Any]


class CheckpointFolder:
    """The last two checkpoints of one run; see `fusion.core.snapshots.SnapshotFolder`.

    Args:
        path: the folder; created when needed.
        identity: digest of everything that decides the run's result.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self._snapshots = SnapshotFolder(path, identity)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then drop all of this run but the last two."""
        state = io.BytesIO()
        torch.save(checkpoint.state, state)
        contents = {WEIGHTS: safetensors.save(checkpoint.weights), STATE: state.getvalue()}
        self._snapshots.save(Snapshot(checkpoint.step, contents))

    def latest(self) -> Checkpoint | None:
        """Return the newest intact checkpoint of this run; report damaged ones."""
        found = self._snapshots.latest()
        if found is None:
            return None
        state = torch.load(io.BytesIO(found.contents[STATE]), weights_only=True, map_location="cpu")
        return Checkpoint(found.step, safetensors.load(found.contents[WEIGHTS]), state)


def run_identity(
    phase: TrainingPhase, store: PairStore, settings: PhaseConfig, runtime: RuntimeConfig, seed: int
) -> str:
    """Digest of what decides a run's result.

    Initial weights, pairs, settings of phase and network, seed, the code that trains, torch. Not
    the hardware: a run may go on elsewhere, with the rounding of another device or number of
    processes from there on.
    """
    digest = hashlib.sha256(settings.model_dump_json().encode())
    digest.update(phase.method.config.model_dump_json().encode())
    own = (Path(inspect.getfile(type(part))) for part in (phase, phase.method))
    digest.update(code_digest(Path(__file__).with_name("loop.py"), *own).encode())
    speed = runtime.precision, runtime.compile, runtime.channels_last, torch.__version__
    digest.update(repr((type(phase).__name__, seed, speed, store.names)).encode())
    for tensor in (store.heights, store.widths, store.pixels, store.fused):
        digest.update(tensor.cpu().numpy().data)
    for name, value in weights_of(phase).items():
        digest.update(name.encode())
        digest.update(value.numpy().data)
    return digest.hexdigest()
