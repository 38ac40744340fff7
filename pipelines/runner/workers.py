"""Processes of stages: how they are started, waited for and ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psutil

LOGS = Path(".dvc/tmp/pomai")
GRACE_SECONDS = 10.0
"""Choice: a stage that was interrupted closes its files within this time, or is killed."""


class Worker(Protocol):
    """One stage that runs."""

    def wait(self) -> int:
        """Wait for its end; returns the exit status."""

    def interrupt(self) -> None:
        """Ask it to end. It may take its time to record what is finished."""

    def kill(self) -> None:
        """End it at once."""


class Launcher(Protocol):
    """Starts workers."""

    def start(self, stage: str, gpus: Sequence[str] | None, log: Path) -> Worker:
        """Start a stage.

        Args:
            gpus: ids of its GPUs; empty to hide all of them, None to leave the choice to it.
            log: file for what it prints.
        """


def command_of(stage: str, pull: bool) -> list[str]:
    """The command that runs one stage if it is not up to date, and waits for DVC's lock.

    Args:
        pull: restore what another machine has pushed, instead of running it.
    """
    options = ["--single-item", *["--pull"] * pull]
    return [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *options, stage]


def log_of(stage: str) -> Path:
    """The file for what a stage prints."""
    return LOGS / f"{stage.replace('/', '+')}.log"


class LocalLauncher:
    """Starts workers on this machine."""

    def __init__(self, shares: Mapping[str, str], pull: bool) -> None:
        """Prepare to start.

        Args:
            shares: environment variables that a user's own ones override.
            pull: as for `command_of`.
        """
        self._shares, self._pull = shares, pull

    def start(self, stage: str, gpus: Sequence[str] | None, log: Path) -> "LocalWorker":
        """As `Launcher.start`."""
        environment = {**self._shares, **os.environ}
        if gpus is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        return LocalWorker(command_of(stage, self._pull), environment, log)


class LocalWorker:
    """A command in a process group of its own, which ends when this process ends."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        child = Path(__file__).with_name("child.py")
        bin_folder = str(Path(sys.executable).parent)  # dvc.yaml names `python` without a folder
        path = os.pathsep.join([bin_folder, *filter(None, [environment.get("PATH")])])
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(child), *command],
                env={**environment, "PATH": path, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,  # never written to: its end says that this process ended
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._interrupted: dict[psutil.Process, float] = {}

    def wait(self) -> int:
        """As `Worker.wait`. Processes that the command left behind are ended."""
        # the group's number is not given to others before its first process is waited for
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self.kill()
        status = self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        return status

    def interrupt(self) -> None:
        """As `Worker.interrupt`; to be called until the worker has ended.

        Only what DVC started is interrupted. DVC itself then fails the stage and frees its locks;
        or, where the stage's command had ended before, goes on to record the outputs.
        """
        now = time.monotonic()
        for process in self._commands():
            began = self._interrupted.setdefault(process, now)
            try:
                if began == now:
                    process.send_signal(signal.SIGINT)
                elif now - began > GRACE_SECONDS:
                    process.kill()
            except psutil.NoSuchProcess:
                continue

    def kill(self) -> None:
        """As `Worker.kill`."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _commands(self) -> list[psutil.Process]:
        """All processes below DVC's."""
        try:
            (dvc,) = psutil.Process(self._process.pid).children() or (None,)
            return dvc.children(recursive=True) if dvc else []
        except psutil.NoSuchProcess:
            return []
