"""Stage: training pairs (and the phase before) -> the weights of one training phase."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from dvclive import Live
from numpy.typing import NDArray

from fusion import methods
from fusion.core.code import code_digest
from fusion.core.processes import launch
from fusion.methods import TaughtPhaseConfig
from fusion.methods.files import load_model, save_model
from fusion.training.loop import train_phase
from fusion.training.sampler import load_pairs
from pipelines import params
from pipelines.datasets.canonical import training_sets
from pipelines.entry import run
from pipelines.paths import MODELS, PLOTS, RUNS, TEACHERS, TRAINING_PAIRS
from pipelines.plots import open_live


def main(key: str) -> None:
    """Train the phase that params.yaml calls training.KEY."""
    settings = params.load()
    step, schedule = settings.training[key], settings.phase_settings(key)
    kind = settings.kind(step.method)
    fabric = launch(settings.runtime)
    folders = training_sets(TRAINING_PAIRS, settings.train_on)
    taught = schedule.teachers if isinstance(schedule, TaughtPhaseConfig) else []
    store = load_pairs(folders, schedule.crop, [TEACHERS / name for name in taught])
    after = Path(step.after)
    previous = None if after in (TRAINING_PAIRS, TEACHERS) else load_model(after)
    torch.manual_seed(settings.seed)
    phase = methods.get(kind).start_phase(
        step.phase, settings.method_config(step.method), schedule, previous
    )
    with _log(PLOTS / f"train-{key}", fabric.is_global_zero) as log:
        report = train_phase(
            fabric,
            phase,
            store,
            schedule,
            runtime=settings.runtime,
            seed=settings.seed,
            checkpoints=RUNS / f"train-{key}",
            on_epoch=log.epoch if log else lambda _: None,
            on_pictures=log.pictures if log else None,
        )
    if fabric.is_global_zero:
        facts = {
            "phase": step.phase,
            "code": code_digest(Path(step.code)),
            "updates": report.updates,
            "seed": settings.seed,
            "data": store.describe(),
            "settings": schedule.model_dump(mode="json"),
        }
        save_model(MODELS / key, kind, phase.method, facts)


@dataclass(frozen=True)
class _Log:
    """Curves and pictures of one training phase, by DVCLive."""

    live: Live

    def epoch(self, means: dict[str, float]) -> None:
        for name, value in means.items():
            self.live.log_metric(name, value)
        self.live.next_step()

    def pictures(self, epoch: int, grid: NDArray[np.uint8]) -> None:
        self.live.log_image(f"epoch-{epoch:04d}.png", grid)


@contextmanager
def _log(folder: Path, active: bool) -> Iterator[_Log | None]:
    """A log on the first process, None on the others."""
    if not active:
        yield None
        return
    with open_live(folder) as live:
        (folder / "plots").mkdir()  # what a phase of no epochs leaves
        yield _Log(live)


if __name__ == "__main__":
    run(main)
