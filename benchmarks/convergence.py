"""Does a method's loss stop where its training stops, or would a longer one go on?

    uv run pomai params profile=pairs 'method=[visible,cddfuse,mmaunet]'
    uv run python -m benchmarks.convergence /data/fusion/msrs/train --updates 2000

Every training phase of params.yaml runs twice from the same weights: on one batch that never
changes, and on crops of all pairs. The rate falls along half a cosine wave. Prints JSON: the loss
of the first update, and a mean for each tenth of the updates. Of a phase's schedule, batch, crop,
gradient limit and first rate count.

`floor`, where a phase's loss is one of the fused image alone: what is left of it when the pixels of
the image are changed directly, as far as Adam gets in as many steps, on the batch that never
changes. No network can fall far below it.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice, repeat
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from fusion import methods
from fusion.blocks.losses import maximum_terms
from fusion.core.memory import keep_freed_memory
from fusion.images.color import luminance
from fusion.methods import PhaseConfig, TaughtPhaseConfig
from fusion.methods.base import Batch, FusionMethod, TrainingPhase
from fusion.methods.cddfuse.phases import CDDFuseFusionPhase
from fusion.methods.mmaunet.phases import MMAUNetFusionPhase
from fusion.training.sampler import CropSampler, load_pairs
from pipelines import params

PARTS = 10


def main(
    pairs: Annotated[Path, typer.Argument(help="Folder of training pairs: ir and vi.")],
    updates: Annotated[int, typer.Option(min=PARTS)] = 2000,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Default: the phase's.")] = None,
    settings: Path = Path("params.yaml"),
    out: Path | None = None,
) -> None:
    """Train every phase both ways; print the losses as JSON (and write them to OUT)."""
    keep_freed_memory()
    chosen = params.load(settings)
    trained: dict[str, FusionMethod[Any]] = {}
    result: dict[str, Any] = {}
    for key, step in chosen.training.items():
        schedule = chosen.phase_settings(key)
        previous = trained.get(step.after.removeprefix("models/"))
        phases = [start(chosen, key, previous) for _ in range(2)]
        sampler = CropSampler(
            load_pairs([pairs], schedule.crop),
            batch_size or schedule.batch_size,
            schedule.crop,
            chosen.seed,
        )
        one = next(batches(sampler))
        result[key] = {
            "floor": floor(phases[0], one, updates),
            "one_batch": train(phases[0], schedule, repeat(one), updates),
            "all_pairs": train(phases[1], schedule, batches(sampler), updates),
        }
        trained[key] = phases[1].method.eval()
        typer.echo(f"{key}: {result[key]}", err=True)
    typer.echo(json.dumps(result, indent=2))
    if out:
        out.write_text(json.dumps(result, indent=2) + "\n")


def start(chosen: params.Params, key: str, previous: FusionMethod[Any] | None) -> TrainingPhase:
    """A phase from the same weights each time; it shares none with other phases.

    Raises:
        ValueError: the phase learns from images of teachers, or not all its weights at once.
    """
    step, schedule = chosen.step(key), chosen.phase_settings(key)
    torch.manual_seed(chosen.seed)
    phase = methods.get(chosen.kind(step.method)).start_phase(
        step.phase, chosen.method_config(step.method), schedule, copy.deepcopy(previous)
    )
    if isinstance(schedule, TaughtPhaseConfig) or any(group.starts for group in phase.groups()):
        raise ValueError(f"{key} needs teachers or several starts, which this loop has not")
    return phase


def batches(sampler: CropSampler) -> Iterator[Batch]:
    """Batches without end, in the memory format of training."""
    for step in count():
        infrared, visible, _ = sampler.batch(step, torch.device("cpu"))
        last = torch.channels_last
        yield Batch(infrared.contiguous(memory_format=last), visible.contiguous(memory_format=last))


def train(
    phase: TrainingPhase, schedule: PhaseConfig, given: Iterable[Batch], updates: int
) -> list[float]:
    """The loss of the first update, then a mean for each tenth of the updates."""
    phase.to(memory_format=torch.channels_last)
    trained = [parameter for parameter in phase.parameters() if parameter.requires_grad]
    adam = torch.optim.Adam(trained, lr=schedule.learning_rate, fused=True)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, updates)
    seen = []
    for batch in islice(given, updates):
        loss = phase(batch)["loss"]
        loss.backward()
        if schedule.gradient_clip:
            torch.nn.utils.clip_grad_norm_(trained, schedule.gradient_clip)
        adam.step()
        adam.zero_grad()
        falling.step()
        seen.append(loss.item())
    parts = torch.tensor(seen)[-(updates // PARTS * PARTS) :].chunk(PARTS)
    return [round(value, 5) for value in (seen[0], *(part.mean().item() for part in parts))]


def floor(phase: TrainingPhase, batch: Batch, updates: int) -> float | None:
    """What is left of a fusion phase's loss when Adam changes the fused pixels themselves."""
    infrared, visible = batch.infrared, luminance(batch.visible)
    lost = of_image(phase, infrared, visible)
    if lost is None:
        return None
    logits = torch.logit(torch.maximum(infrared, visible), eps=1e-3).requires_grad_()
    adam = torch.optim.Adam([logits], lr=0.05)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, updates)
    for _ in range(updates):
        adam.zero_grad()
        loss = lost(torch.sigmoid(logits))
        loss.backward()
        adam.step()
        falling.step()
    return round(loss.item(), 5)


def of_image(
    phase: TrainingPhase, infrared: Tensor, visible: Tensor
) -> Callable[[Tensor], Tensor] | None:
    """A fusion phase's loss as a function of the fused image alone; None for other phases.

    CDDFuse's decomposition, which is not negative, counts as zero.
    """
    if isinstance(phase, MMAUNetFusionPhase):
        return lambda image: phase.losses(image, infrared, visible)["loss"]
    if isinstance(phase, CDDFuseFusionPhase):
        edges, weights = phase.losses.gradient, phase.losses.weights

        def weighted(image: Tensor) -> Tensor:
            terms = maximum_terms(edges, image, infrared, visible)
            return weights.intensity * terms["intensity"] + weights.gradient * terms["gradient"]

        return weighted
    return None


if __name__ == "__main__":
    typer.run(main)
