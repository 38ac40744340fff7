"""Stage: training pairs (and the phase before) -> the weights of one training phase."""

from contextlib import nullcontext
from pathlib import Path

import torch
from lightning.fabric import Fabric

from fusion import methods
from fusion.core.code import code_digest
from fusion.core.locks import exclusive
from fusion.core.processes import launch
from fusion.core.runtime import device_name
from fusion.images.prepared import training_sets
from fusion.methods import TaughtPhaseConfig
from fusion.methods.files import load_model, save_model
from fusion.training.loop import train_phase
from fusion.training.sampler import load_pairs
from pipelines import params
from pipelines.costs import TrainCost, train_cost_file
from pipelines.curves import training_log
from pipelines.paths import MODELS, PLOTS, RUNS, TEACHERS, TRAINING_PAIRS


def main(key: str) -> None:
    """Train the phase that params.yaml calls training.KEY."""
    settings = params.load()
    fabric = launch(settings.runtime)
    with exclusive(RUNS / f"train-{key}") if fabric.is_global_zero else nullcontext():
        _train(settings, key, fabric)


def _train(settings: params.Params, key: str, fabric: Fabric) -> None:
    step, schedule = settings.step(key), settings.phase_settings(key)
    kind = settings.kind(step.method)
    folders = training_sets(TRAINING_PAIRS, settings.train_on)
    taught = schedule.teachers if isinstance(schedule, TaughtPhaseConfig) else []
    store = load_pairs(folders, schedule.crop, [TEACHERS / name for name in taught])
    after = Path(step.after)
    previous = None if after in (TRAINING_PAIRS, TEACHERS) else load_model(after)
    torch.manual_seed(settings.seed)
    phase = methods.get(kind).start_phase(
        step.phase, settings.method_config(step.method), schedule, previous
    )
    with training_log(PLOTS / f"train-{key}", fabric.is_global_zero) as log:
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
        TrainCost(
            seconds=round(report.seconds, 1),
            device=device_name(fabric.device),
            processes=fabric.world_size,
        ).save(train_cost_file(key))
        facts = {
            "phase": step.phase,
            "code": code_digest(Path(step.code)),
            "updates": report.updates,
            "seed": settings.seed,
            "data": store.describe(),
            "settings": schedule.model_dump(mode="json"),
        }
        save_model(MODELS / key, kind, phase.method, facts)
