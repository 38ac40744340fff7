"""Checkpoints of a run as folders of named files: complete or absent, verified when read."""

import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

FACTS = "run.json"


@dataclass(frozen=True)
class Snapshot:
    """A run after `step` steps.

    step: of training; 0 or above.
    contents: bytes by file name.
    """

    step: int
    contents: Mapping[str, bytes]


class SnapshotFolder:
    """The last snapshots of one run.

    A snapshot is a folder that is written under a temporary name, flushed to the disk and renamed:
    a crash leaves either the whole snapshot or none. Its `run.json` holds the SHA-256 of every
    other file. The folder's name carries the run's identity, so runs with other settings may share
    `path`; their snapshots are neither resumed nor removed.

    Args:
        path: the folder; created when needed.
        identity: digest of everything that decides the run's result.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity

    def save(self, snapshot: Snapshot, keep: int = 2) -> None:
        """Write a snapshot, then drop all others of this run but the `keep - 1` before it.

        Snapshots of later steps were damaged, or the run would have continued from them.
        """
        digests = {name: _digest(content) for name, content in snapshot.contents.items()}
        facts = {"step": snapshot.step, "identity": self.identity, "sha256": digests}
        temporary = self.path / ".writing"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, content in (*snapshot.contents.items(), (FACTS, json.dumps(facts).encode())):
            (temporary / name).write_bytes(content)
            _flush(temporary / name)
        _flush(temporary)
        final = self.path / self._name(snapshot.step)
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        _flush(self.path)
        own = self._own()
        place = own.index(final)
        for other in own[:place] + own[place + keep :]:
            shutil.rmtree(other)

    def latest(self) -> Snapshot | None:
        """Return the newest intact snapshot of this run; report damaged ones."""
        own = self._own()
        if not own and any(self.path.glob("*-step-*")):
            log.warning(
                "%s holds checkpoints of other settings or data only: starting afresh", self.path
            )
        for folder in own:
            try:
                return self._read(folder)
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s is damaged (%s); trying the one before", folder, error)
        if own:
            log.warning("%s holds no whole checkpoint: starting afresh", self.path)
        return None

    def _read(self, folder: Path) -> Snapshot:
        facts = json.loads((folder / FACTS).read_bytes())
        if facts["identity"] != self.identity:
            raise ValueError("it is a checkpoint of another run")
        if folder.name != self._name(facts["step"]):
            raise ValueError(f"{FACTS} differs from what was written")
        contents = {name: (folder / name).read_bytes() for name in facts["sha256"]}
        for name, content in contents.items():
            if _digest(content) != facts["sha256"][name]:
                raise ValueError(f"{name} differs from what was written")
        return Snapshot(facts["step"], contents)

    def _name(self, step: int) -> str:
        return f"{self.identity[:12]}-step-{step:09d}"

    def _own(self) -> list[Path]:
        """Newest first."""
        return sorted(self.path.glob(f"{self.identity[:12]}-step-*"), reverse=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _flush(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk.

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
