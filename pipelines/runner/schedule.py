"""Starts each stage as soon as the stages that it depends on are done."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

from pipelines.runner.gpus import GpuPool
from pipelines.runner.graph import Plan
from pipelines.runner.workers import Launcher, Worker, log_of

POLL_SECONDS = 0.25


class Running(NamedTuple):
    """A stage that runs: its worker, its GPUs and when it began (`time.monotonic`)."""

    worker: Worker
    gpus: tuple[str, ...]
    began: float


class Watcher(Protocol):
    """Is told what happens."""

    def update(self, running: Mapping[str, Running]) -> None:
        """These stages run now; called several times a second."""

    def ended(self, stage: str, status: int, seconds: float) -> None:
        """A stage ended."""


class Outcome(NamedTuple):
    """What became of the stages.

    current: those that were up to date, found without a process.
    ran: those whose worker ended well. DVC may have found one up to date after all.
    failed: exit statuses of those whose worker did not.
    blocked: those that depend on a failed one, or that an interruption left.
    """

    current: set[str]
    ran: list[str]
    failed: dict[str, int]
    blocked: list[str]

    @property
    def planned(self) -> list[str]:
        """All of them."""
        return [*self.current, *self.ran, *self.failed, *self.blocked]


@dataclass
class Run:
    """The stages of a plan; a stage that fails stops only those that depend on it.

    A stage that was up to date, and of which no dependency ran, costs no process.

    Attributes:
        plan: what needs what.
        launcher: starts a stage's process.
        jobs: how many may run at the same time.
        pool: the GPUs that stages share.
        gpus_of: how many GPUs a stage needs. Stages that need one are started first.
        watcher: is told what happens.
    """

    plan: Plan
    launcher: Launcher
    jobs: int
    pool: GpuPool
    gpus_of: Callable[[str], int]
    watcher: Watcher

    def __post_init__(self) -> None:
        self._sorter = TopologicalSorter(self.plan.needs)
        self._sorter.prepare()
        self._ready: list[str] = []
        self._running: dict[str, Running] = {}
        self._ended: SimpleQueue[tuple[str, int]] = SimpleQueue()
        self._current: set[str] = set()
        self._ran: list[str] = []
        self._failed: dict[str, int] = {}

    def complete(self) -> Outcome:
        """Run everything that is not up to date.

        An interrupt (Ctrl-C) ends the running stages, waits until DVC has recorded what was
        finished, and is raised again; a second one kills them.
        """
        try:
            while self.advance():
                self.collect()
        except BaseException:
            self.end()
            raise
        return self.outcome()

    def advance(self) -> bool:
        """Start what can start; returns whether anything runs."""
        while new := self._sorter.get_ready():
            for stage in new:
                if stage in self.plan.changed or not self.plan.needs[stage] <= self._current:
                    self._ready.append(stage)
                else:
                    self._current.add(stage)
                    self._sorter.done(stage)
        order = list(self.plan.needs)
        for stage in sorted(self._ready, key=lambda s: (not self.gpus_of(s), order.index(s))):
            self._start(stage)
        return bool(self._running)

    def _start(self, stage: str) -> None:
        if len(self._running) == self.jobs:
            return
        count = self.gpus_of(stage)
        gpus = self.pool.take(count) if count else ()
        if gpus is None:
            return
        self._ready.remove(stage)
        visible = gpus if self.pool.hides else None
        worker = self.launcher.start(stage, visible, log_of(stage))
        self._running[stage] = Running(worker, gpus, time.monotonic())
        threading.Thread(target=self._wait, args=(stage, worker), daemon=True).start()

    def _wait(self, stage: str, worker: Worker) -> None:
        self._ended.put((stage, worker.wait()))

    def collect(self) -> None:
        """Wait a moment for stages that end."""
        with suppress(Empty):
            self._collect(*self._ended.get(timeout=POLL_SECONDS))
            while True:
                self._collect(*self._ended.get_nowait())
        self.watcher.update(self._running)

    def _collect(self, stage: str, status: int) -> None:
        running = self._running.pop(stage)
        self.pool.give_back(running.gpus)
        self.watcher.ended(stage, status, time.monotonic() - running.began)
        if status:
            self._failed[stage] = status
        else:
            self._ran.append(stage)
            self._sorter.done(stage)

    def end(self) -> None:
        """End what runs."""
        try:
            while self._running:
                for running in self._running.values():
                    running.worker.interrupt()
                self.collect()
        finally:
            for running in self._running.values():
                with suppress(OSError):  # one that cannot be ended must not keep the others
                    running.worker.kill()

    def outcome(self) -> Outcome:
        settled = self._current.union(self._ran, self._failed)
        blocked = [stage for stage in self.plan.needs if stage not in settled]
        return Outcome(self._current, self._ran, self._failed, blocked)
