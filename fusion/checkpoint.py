"""Checkpoints of a training run: complete or absent, never half."""

import json
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

DAMAGE = (OSError, ValueError, KeyError, RuntimeError, SafetensorError, UnpicklingError)
"""What reading a damaged checkpoint can raise."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after `step` updates."""

    step: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]


class CheckpointFolder:
    """The last two checkpoints of one run.

    A checkpoint is a folder that is written under a temporary name, flushed to the disk and
    renamed. It carries the run's identity, so that a run never resumes from another's.

    Args:
        path: the folder; made when needed.
        identity: digest of everything that decides the run's result.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then drop all but the last two."""
        temporary = self.path / ".writing"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        save_file(checkpoint.weights, temporary / "weights.safetensors")
        torch.save(checkpoint.optimizer, temporary / "optimizer.pt")
        facts = {"step": checkpoint.step, "identity": self.identity}
        (temporary / "run.json").write_text(json.dumps(facts))
        for file in temporary.iterdir():
            _flush(file)
        final = self.path / f"step-{checkpoint.step:09d}"
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        _flush(self.path)
        for old in self._folders()[2:]:
            shutil.rmtree(old)

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint of this run that can be read; damaged ones are reported."""
        return next(self._readable(), None)

    def _readable(self) -> Iterator[Checkpoint]:
        for folder in self._folders():
            try:
                checkpoint = self._read(folder)
            except DAMAGE as error:
                warnings.warn(f"{folder} is damaged ({error}); trying the one before", stacklevel=2)
                continue
            if checkpoint:
                yield checkpoint

    def _read(self, folder: Path) -> Checkpoint | None:
        facts = json.loads((folder / "run.json").read_text())
        if facts["identity"] != self.identity:
            return None
        optimizer = torch.load(folder / "optimizer.pt", weights_only=True, map_location="cpu")
        return Checkpoint(facts["step"], load_file(folder / "weights.safetensors"), optimizer)

    def _folders(self) -> list[Path]:
        return sorted(self.path.glob("step-*"), reverse=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
