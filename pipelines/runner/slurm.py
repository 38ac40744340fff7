"""Stages as jobs of a SLURM cluster, submitted by submitit (the extra `cluster`)."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from fusion.core.errors import InputError
from pipelines.runner.workers import LOGS, LocalWorker, command_of

FOLDER = LOGS / "slurm"
POLL_SECONDS = 1.0
QUEUE_SECONDS = 20.0
"""Choice: how often the controller is asked which jobs it has; once for all jobs."""
CANCEL_SECONDS = 20.0
"""Choice: how long after a refused cancellation the next attempt is made."""

SHARED = {"timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"}
"""Options that submitit knows for every cluster; the others are SLURM's."""


def parse_options(given: str) -> dict[str, Any]:
    """Options of `--slurm`, such as "partition=gpu,gpus_per_node=1,timeout_min=240".

    Raises:
        InputError: an option is not KEY=VALUE, or `timeout_min` is missing.
    """
    options: dict[str, Any] = {}
    for item in given.split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals and value):
            remedy = "write --slurm partition=gpu,gpus_per_node=1,timeout_min=240"
            raise InputError("--slurm", f"'{item}' is not KEY=VALUE", remedy)
        options[key] = _typed(key, value)
    if "timeout_min" not in options:
        remedy = "add timeout_min=240: minutes after which SLURM ends a stage"
        raise InputError("--slurm", "has no time limit", remedy)
    return options


def _typed(key: str, value: str) -> str | int | float | bool:
    """What a shell would hand to sbatch; other types only where submitit wants them."""
    if value in {"true", "false"}:
        return value == "true"
    if re.fullmatch("0|[1-9][0-9]*", value):
        return int(value)
    if key == "mem_gb" and re.fullmatch(r"[0-9]+\.[0-9]+", value):
        return float(value)
    return value


class SlurmLauncher:
    """Submits workers; without `srun` on PATH, submitit starts them on this machine."""

    def __init__(
        self, options: Mapping[str, Any], uses_gpu: Callable[[str], bool], pull: bool
    ) -> None:
        """Prepare to submit.

        Args:
            options: as `parse_options` returns them.
            uses_gpu: whether a stage does; the others are submitted without options for GPUs.
            pull: as for `command_of`.

        Raises:
            InputError: submitit is not installed, or does not know an option.
        """
        on_cpu = {key: value for key, value in options.items() if not _about_gpus(key)}
        self._with_gpu, self._on_cpu = _executor(options), _executor(on_cpu)
        self._uses_gpu, self._pull = uses_gpu, pull
        self._queue = _Queue() if self._with_gpu.cluster == "slurm" else None

    def start(self, stage: str, gpus: Sequence[str] | None, log: Path) -> "SlurmWorker":
        """As `Launcher.start`, but SLURM chooses the GPUs.

        Raises:
            InputError: SLURM refuses the job.
        """
        from submitit.core.utils import FailedJobError

        uses_gpu = self._uses_gpu(stage)
        executor = self._with_gpu if uses_gpu else self._on_cpu
        executor.update_parameters(name=stage)
        arguments = (command_of(stage, self._pull), log.absolute(), Path.cwd(), uses_gpu)
        try:
            return SlurmWorker(executor.submit(run_command, *arguments), self._queue)
        except FailedJobError as error:
            reason = " ".join(str(error).split())
            raise InputError("--slurm", reason, "correct the options") from error


def _about_gpus(key: str) -> bool:
    return "gpu" in key or key == "gres"


def _executor(options: Mapping[str, Any]) -> Any:
    try:
        from submitit import AutoExecutor
    except ImportError as error:
        remedy = "install the extra: pip install 'pomai[cluster]'"
        raise InputError("--slurm", "needs submitit", remedy) from error
    executor = AutoExecutor(FOLDER)
    named = {key if key in SHARED else f"slurm_{key}": value for key, value in options.items()}
    try:
        executor.update_parameters(**named)
    except (NameError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError("--slurm", reason, "correct the option") from error
    return executor


def run_command(command: Sequence[str], log: Path, folder: Path, uses_gpu: bool) -> int:
    """Run on the node that SLURM chose, with as many threads as the job has cores."""
    os.chdir(folder)
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    # else Lightning takes the job's tasks for its processes; a stage starts its own
    environment["SLURM_JOB_NAME"] = "interactive"
    if threads := environment.get("SLURM_CPUS_PER_TASK"):
        environment["OMP_NUM_THREADS"] = threads
    if not uses_gpu:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return LocalWorker(command, environment, log).wait()


class SlurmWorker:
    """A job of the cluster."""

    def __init__(self, job: Any, queue: "_Queue | None") -> None:
        self._job, self._queue, self._submitted = job, queue, time.monotonic()
        self._cancel_at = self._submitted

    def wait(self) -> int:
        """As `Worker.wait`; 1 if the job ended without a result: cancelled, or over its limits."""
        result: Path = self._job.paths.result_pickle
        while not result.exists():
            time.sleep(POLL_SECONDS)
            if self._queue is None:
                if self._job.done():
                    break
            elif self._queue.lost(self._job.job_id, self._submitted) and not _appears(result):
                return 1
        from submitit.core.utils import FailedJobError, UncompletedJobError

        try:
            status: int = self._job.result()
        except (FailedJobError, UncompletedJobError):
            return 1
        return status

    def interrupt(self) -> None:
        """As `Worker.interrupt`. The job is canceled once; again later if SLURM refused."""
        if time.monotonic() >= self._cancel_at:
            self._cancel_at = float("inf") if self._cancel() else time.monotonic() + CANCEL_SECONDS

    def kill(self) -> None:
        """As `Worker.kill`."""
        self._cancel()

    def _cancel(self) -> bool:
        """Whether SLURM took the cancellation; it may refuse one of a job that has just ended."""
        try:
            self._job.cancel()
        except (OSError, subprocess.CalledProcessError):
            return False
        return True


def _appears(path: Path) -> bool:
    """Whether a file comes into sight within seconds, as on a network file system."""
    for _ in range(10):
        if path.exists():
            return True
        time.sleep(POLL_SECONDS)
    return False


class _Queue:
    """The user's jobs that wait or run. Unlike `sacct`, `squeue` needs no accounting database."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked = float("-inf")
        self._jobs: set[str] = set()

    def lost(self, job: str, submitted: float) -> bool:
        """Whether a job is not among them any more; known at most `QUEUE_SECONDS` late."""
        with self._lock:
            if time.monotonic() - self._asked > QUEUE_SECONDS:
                asked = time.monotonic()
                command = ["squeue", "--me", "--noheader", "--format=%i"]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if not done.returncode:  # else the controller is away, and jobs go on
                    self._jobs, self._asked = set(done.stdout.split()), asked
            return submitted < self._asked and job not in self._jobs
