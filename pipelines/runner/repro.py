"""`dvc repro` with stages side by side, from the plan to the last check."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from fusion.core.errors import InputError
from pipelines.runner import graph
from pipelines.runner.gpus import GpuPool, chosen_gpus, cores, shares
from pipelines.runner.live import shown
from pipelines.runner.schedule import Outcome, Run
from pipelines.runner.slurm import SlurmLauncher, parse_options
from pipelines.runner.storage import lock_advice
from pipelines.runner.workers import Launcher, LocalLauncher

SLURM_JOBS = 64


class Places(NamedTuple):
    """Where stages run.

    jobs: how many at the same time; chosen for the machine if None.
    gpus: ids, as `chosen_gpus` reads them.
    slurm: options, as `parse_options` reads them; None runs on this machine.
    gpus_of: how many GPUs a stage uses.
    pull: restore what other machines have pushed to the DVC remote.
    """

    jobs: int | None
    gpus: str | None
    slurm: str | None
    gpus_of: Callable[[str], int]
    pull: bool = False

    def prepared(self) -> tuple[Launcher, int, GpuPool]:
        """What `run` needs.

        Raises:
            InputError: as `chosen_gpus`, `parse_options` and `SlurmLauncher`.
        """
        if self.slurm is not None:
            options = parse_options(self.slurm)
            launcher = SlurmLauncher(options, lambda stage: self.gpus_of(stage) > 0, self.pull)
            return launcher, self.jobs or SLURM_JOBS, GpuPool([])
        ids = chosen_gpus(self.gpus)
        jobs = self.jobs or (len(ids) + 1 if ids else max(1, cores() // 2))
        return (
            LocalLauncher(shares(jobs, cores()), self.pull),
            jobs,
            GpuPool(ids, self.gpus is not None),
        )


def advice(places: Places) -> str | None:
    """What to change about the project's storage before stages run side by side."""
    return lock_advice(Path(".dvc"), several_machines=places.slurm is not None)


def reproduce(targets: Sequence[str], places: Places) -> Outcome:
    """Run what is not up to date; ends with plain `dvc repro`, which then has nothing to run.

    Raises:
        InputError: the project, a target or an option is not valid; a stage needs more GPUs than
            there are.
    """
    launcher, jobs, pool = places.prepared()
    plan = graph.plan(targets)
    for stage in plan.needs:
        needed = places.gpus_of(stage)
        if 0 < pool.size < needed:
            reason = f"stage {stage} uses {needed} GPUs, and --gpus names {pool.size}"
            raise InputError("runtime.devices", reason, "lower it, or name more GPUs")
    try:
        with shown(len(plan.needs)) as view:
            outcome = Run(plan, launcher, jobs, pool, places.gpus_of, view).complete()
    finally:
        if plan.changed:
            graph.order_lock()
    if outcome.ran and not outcome.failed:
        outcome.ran.extend(set(graph.reproduce(targets)) - set(outcome.ran))
    return outcome
