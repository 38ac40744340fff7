"""Stage: training pairs (and the phase before) -> the weights of one training phase."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from dvclive import Live

from fusion import methods
from fusion.sampler import load_pairs
from fusion.train import launch, train_phase
from fusion.weights import load_model, save_model
from pipelines import params
from pipelines.stage import MODELS, PLOTS, RUNS, TRAINING_PAIRS, run


def main(key: str) -> None:
    """Train the phase that params.yaml calls training.KEY."""
    settings = params.load()
    step, schedule = settings.training[key], settings.phase_settings(key)
    kind = settings.kind(step.method)
    fabric = launch(settings.runtime)
    folders = sorted(path for path in TRAINING_PAIRS.iterdir() if (path / "ir").is_dir())
    store = load_pairs(folders, schedule.crop)
    after = Path(step.after)
    previous = None if after == TRAINING_PAIRS else load_model(after)
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
            on_epoch=log,
        )
    if fabric.is_global_zero:
        facts = {
            "phase": step.phase,
            "updates": report.updates,
            "seed": settings.seed,
            "pairs": len(store),
            "sets": [path.name for path in folders],
            "settings": schedule.model_dump(mode="json"),
        }
        save_model(MODELS / key, kind, phase.method, facts)


@contextmanager
def _log(folder: Path, active: bool) -> Iterator[Callable[[dict[str, float]], None]]:
    """A function that logs an epoch's means with DVCLive, on the first process only.

    DVC's own file and its experiments are the pipeline's business, not the logger's.
    """
    if not active:
        yield lambda _: None
        return
    with Live(str(folder), dvcyaml=None, save_dvc_exp=False) as live:

        def log(means: dict[str, float]) -> None:
            for name, value in means.items():
                live.log_metric(name, value)
            live.next_step()

        yield log


if __name__ == "__main__":
    run(main)
