"""Checkpoints of a training run: complete or absent, never half."""

import hashlib
import inspect
import io
import json
import logging
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safetensors
from torch import Tensor

from fusion.core.config import RuntimeConfig
from fusion.core.files import code_digest
from fusion.methods import PhaseConfig
from fusion.methods.base import TrainingPhase
from fusion.methods.files import weights_of
from fusion.training.sampler import PairStore

log = logging.getLogger(__name__)

WEIGHTS, STATE, FACTS = "weights.safetensors", "state.pt", "run.json"


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` updates.

    weights: of the phase.
    state: whatever else the run needs to go on (optimiser, means of the running epoch): tensors,
        numbers, strings and containers of these, so that it can be loaded as data, not as code.
    """

    step: int
    weights: dict[str, Tensor]
    state: dict[str, Any]


class CheckpointFolder:
    """The last two checkpoints of one run.

    A checkpoint is a folder that is written under a temporary name, flushed to the disk and
    renamed: at any moment of a crash it is there or not. Its name carries the run's identity, so
    runs of other settings may share `path`; they are neither resumed from nor removed.

    Args:
        path: the folder; made when needed.
        identity: digest of everything that decides the run's result.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then drop all of this run but the last two."""
        state = io.BytesIO()
        torch.save(checkpoint.state, state)
        contents = {WEIGHTS: safetensors.save(checkpoint.weights), STATE: state.getvalue()}
        digests = {name: _digest(content) for name, content in contents.items()}
        facts = {"step": checkpoint.step, "identity": self.identity, "sha256": digests}
        contents[FACTS] = json.dumps(facts, indent=2).encode()

        temporary = self.path / ".writing"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
            _flush(temporary / name)
        _flush(temporary)
        final = self.path / f"{self._prefix}{checkpoint.step:09d}"
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        _flush(self.path)
        for old in self._own()[2:]:
            shutil.rmtree(old)

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint of this run that is whole; damaged ones are reported."""
        own = self._own()
        if not own and any(self.path.glob("*-step-*")):
            log.warning(
                "%s holds checkpoints of other settings or data only: starting afresh", self.path
            )
        for folder in own:
            try:
                return self._read(folder)
            except (OSError, ValueError, KeyError) as error:
                log.warning("%s is damaged (%s); trying the one before", folder, error)
        return None

    def _read(self, folder: Path) -> Checkpoint:
        facts = json.loads((folder / FACTS).read_text())
        if facts["identity"] != self.identity:
            raise ValueError("it belongs to another run")
        contents = {name: (folder / name).read_bytes() for name in (WEIGHTS, STATE)}
        for name, content in contents.items():
            if _digest(content) != facts["sha256"][name]:
                raise ValueError(f"{name} is not as it was written")
        state = torch.load(io.BytesIO(contents[STATE]), weights_only=True, map_location="cpu")
        return Checkpoint(facts["step"], safetensors.load(contents[WEIGHTS]), state)

    @property
    def _prefix(self) -> str:
        return f"{self.identity[:12]}-step-"

    def _own(self) -> list[Path]:
        """Newest first."""
        return sorted(self.path.glob(f"{self._prefix}*"), reverse=True)


def run_identity(
    phase: TrainingPhase, store: PairStore, settings: PhaseConfig, runtime: RuntimeConfig, seed: int
) -> str:
    """Digest of everything that decides a run's result.

    Initial weights, pairs, settings of phase and network, seed, the code that trains, torch.
    """
    digest = hashlib.sha256(settings.model_dump_json().encode())
    digest.update(phase.method.config.model_dump_json().encode())
    package, method = Path(__file__).parent.parent, Path(inspect.getfile(type(phase))).parent
    rooms = (
        "blocks",
        "methods/base.py",
        "images/color.py",
        "training/sampler.py",
        "training/loop.py",
    )
    digest.update(code_digest(method, *(package / room for room in rooms)).encode())
    speed = runtime.precision, runtime.compile, runtime.channels_last, torch.__version__
    digest.update(repr((type(phase).__name__, seed, speed, store.names)).encode())
    for tensor in (store.heights, store.widths, store.pixels, store.fused):
        digest.update(tensor.cpu().numpy().data)
    for name, value in weights_of(phase).items():
        digest.update(name.encode())
        digest.update(value.numpy().data)
    return digest.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _flush(path: Path) -> None:
    """Wait until a file or a folder's entries are on the disk.

    Windows opens no folders, and waits only for files that are open for writing.
    """
    folder = path.is_dir()
    if folder and sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
