"""Speed and memory of training PoMAI's stage one, by setting, against a plain loop.

    python -m benchmarks.training --channels 64 --crop 128 --batch-size 16

Every row trains on the same generated images and is the fastest of a few epochs after a first one
that does not count; on a CPU it runs in a process of its own. `matmul_share` is the measured
TFLOP/s as a share of the machine's own in a large matrix product of the same type.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import typer

from benchmarks import machine, plain
from fusion.core.config import RuntimeConfig
from fusion.core.memory import keep_freed_memory
from fusion.core.runtime import pick_device
from fusion.images.decode import write_image
from fusion.methods.base import Batch
from fusion.methods.pomai.config import PoMAIConfig, PoMAIStageOnePhaseConfig
from fusion.methods.pomai.method import PoMAI
from fusion.methods.pomai.phases import PoMAIPhase

SETTINGS = {
    "fp32": {"channels_last": False},
    "tf32": {"channels_last": False},
    "fp32 channels_last": {},
    "tf32 channels_last": {},
    "bf16": {"precision": "bf16-mixed", "channels_last": False},
    "bf16 channels_last": {"precision": "bf16-mixed"},
    "fp32 channels_last compile": {"compile": True},
    "bf16 channels_last compile": {"precision": "bf16-mixed", "compile": True},
}


def main(
    channels: int = 64,
    heads: int = 8,
    crop: int = 128,
    batch_size: int = 16,
    steps: int = 2,
    rounds: int = 3,
    compiled: bool = True,
    only: str = "",
    out: Path | None = None,
) -> None:
    """Measure all settings, or ONLY some; print the result as JSON (and write it to OUT)."""
    config = PoMAIConfig(channels=channels, heads=heads)
    settings = PoMAIStageOnePhaseConfig(
        epochs=rounds + 2, batch_size=batch_size, crop=crop, learning_rate=1e-4
    )
    device = pick_device(RuntimeConfig())
    flops = flops_per_image(config, crop)
    moved = bytes_per_image(config, settings)
    facts = machine.describe(device)
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pairs"
        make_pairs(folder, count=steps * batch_size, side=max(crop, 256))
        for key in ("plain", *(only.split(",") if only else SETTINGS)):
            if ("compile" in key and not compiled) or ("tf32" in key and device.type != "cuda"):
                continue
            rows[key] = machine.isolated(measure, device, config, settings, folder, key, steps)
            typer.echo(f"{key}: {rows[key]}", err=True)
    for key, row in rows.items():
        if "error" not in row:
            tflops = row["images_per_second"] * flops / 1e12
            row["speedup"] = round(row["images_per_second"] / rows["plain"]["images_per_second"], 2)
            row["tflops"] = round(tflops, 3)
            row["matmul_share"] = round(tflops / machine.matmul_limit(facts, key), 3)
            if key.startswith(("fp32", "tf32")) and "compile" not in key:
                row["gb_per_second"] = round(row["images_per_second"] * moved / 1e9, 1)
    result = {
        "machine": facts,
        "network": {"channels": channels, "crop": crop, "batch_size": batch_size},
        "gflop_per_image": round(flops / 1e9, 2),
        "gb_moved_per_image": round(moved / 1e9, 3),
        "largest_difference_from_plain": largest_difference(config),
        "rows": rows,
    }
    typer.echo(json.dumps(result, indent=2))
    if out:
        out.write_text(json.dumps(result, indent=2) + "\n")


def make_pairs(folder: Path, count: int, side: int) -> None:
    """Write `count` pairs of noise."""
    generator = np.random.default_rng(0)
    for kind, shape in (("ir", (side, side)), ("vi", (side, side, 3))):
        (folder / kind).mkdir(parents=True)
        for index in range(count):
            pixels = generator.integers(0, 256, shape, dtype=np.uint8)
            write_image(folder / kind / f"{index:04d}.png", pixels)


def new_phase(config: PoMAIConfig, settings: PoMAIStageOnePhaseConfig) -> PoMAIPhase:
    """Stage one with always the same first weights."""
    torch.manual_seed(0)
    return PoMAI.start_phase("stage_one", config, settings, None)


def flops_per_image(config: PoMAIConfig, crop: int) -> float:
    """Floating-point operations of one crop's forward and backward pass.

    The plain forward pass as torch counts it, three times: the backward pass is two products for
    each one. (Torch's own count of it takes depthwise convolutions for dense ones.)
    """
    network = PoMAI(config).to("meta")
    images = (torch.empty(1, planes, crop, crop, device="meta") for planes in (1, 3))
    flops, _ = machine.work_of(lambda: plain.fuse(network, *images, network.ngmm.rotation[0]))
    return 3 * flops


def bytes_per_image(config: PoMAIConfig, settings: PoMAIStageOnePhaseConfig) -> float:
    """Bytes that the operations of one crop's forward and backward pass read and write, eager."""
    phase = new_phase(config, settings)
    infrared, visible = (torch.rand(1, planes, settings.crop, settings.crop) for planes in (1, 3))
    with machine.Work() as work:
        phase(Batch(infrared, visible))["loss"].backward()
    return work.bytes


def largest_difference(config: PoMAIConfig) -> float:
    """Largest absolute difference between both networks' fused images."""
    torch.manual_seed(0)
    network = PoMAI(config).eval()
    infrared, visible = torch.rand(1, 1, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = plain.fuse(network, infrared, visible, network.ngmm.rotation[0])
        return float((network(infrared, visible) - expected).abs().max())


def measure(
    config: PoMAIConfig, settings: PoMAIStageOnePhaseConfig, folder: Path, setting: str, steps: int
) -> dict[str, object]:
    """Speed, peak memory and slowest kernels of one setting; the last epoch is for the kernels."""
    machine.use_tf32("tf32" in setting)
    device = pick_device(RuntimeConfig())
    phase = new_phase(config, settings)
    times: list[float] = []
    kernels = machine.Kernels(device)

    def note() -> None:
        machine.synchronize(device)
        times.append(time.perf_counter())
        if len(times) == settings.epochs:
            kernels.start()

    if setting == "plain":
        losses = plain.train(phase.to(device), folder, settings.batch_size, settings.crop)
        for _ in range(settings.epochs + 1):
            note()
            [next(losses) for _ in range(steps)]
    else:
        keep_freed_memory()  # as every command of the project does
        _train(phase, settings, folder, RuntimeConfig(**SETTINGS[setting]), note)
    slowest = kernels.slowest()
    spans = np.diff(times[: settings.epochs])
    return {
        "images_per_second": round(steps * settings.batch_size / float(spans[1:].min()), 2),
        "first_epoch_seconds": round(float(spans[0]), 1),
        "peak_mib": round(machine.peak_memory(device)),
        "slowest": slowest,
    }


def _train(
    phase: PoMAIPhase,
    settings: PoMAIStageOnePhaseConfig,
    folder: Path,
    runtime: RuntimeConfig,
    note: Callable[[], None],
) -> None:
    # the loop's import takes seconds: only where it is used
    from fusion.core.processes import launch
    from fusion.training.loop import train_phase
    from fusion.training.sampler import load_pairs

    fabric, store = launch(runtime), load_pairs([folder], settings.crop)
    with tempfile.TemporaryDirectory() as checkpoints:
        note()
        train_phase(
            fabric,
            phase,
            store,
            settings,
            runtime=runtime,
            seed=0,
            checkpoints=Path(checkpoints),
            on_epoch=lambda _: note(),
        )


if __name__ == "__main__":
    typer.run(main)
