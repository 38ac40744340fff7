"""Speed and memory of training PoMAI's stage one, by setting, against a plain loop.

    python -m benchmarks.training --channels 64 --crop 128 --batch-size 16

Every row runs in a process of its own on the same generated images and is the fastest of a few
epochs after a first one that does not count. `matmul_share` is the measured TFLOP/s as a share of
the machine's own in a large matrix product of the same type.
"""

import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import machine, plain
from fusion.images import write_image
from fusion.memory import keep_freed_memory
from fusion.methods.pomai import PoMAI, PoMAIConfig, PoMAIPhase, StageOne
from fusion.runtime import RuntimeConfig, pick_device

SETTINGS = {
    "fp32": {"channels_last": False},
    "fp32 channels_last": {},
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
    out: Path | None = None,
) -> None:
    """Measure all settings; print the result as JSON (and write it to OUT)."""
    config = PoMAIConfig(channels=channels, heads=heads)
    settings = StageOne(epochs=rounds + 1, batch_size=batch_size, crop=crop, learning_rate=1e-4)
    device = pick_device(RuntimeConfig())
    flops = flops_per_image(config, crop)
    facts = machine.describe(device)
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pairs"
        make_pairs(folder, count=steps * batch_size, side=max(crop, 256))
        chosen = {key: value for key, value in SETTINGS.items() if compiled or "compile" not in key}
        for key, changes in {"plain": None, **chosen}.items():
            rows[key] = in_own_process(config, settings, folder, changes, steps)
            typer.echo(f"{key}: {rows[key]}", err=True)
    for key, row in rows.items():
        if "error" not in row:
            ceiling = facts["matmul_tflops_bf16" if "bf16" in key else "matmul_tflops_fp32"]
            row["speedup"] = round(row["images_per_second"] / rows["plain"]["images_per_second"], 2)
            row["matmul_share"] = round(row["images_per_second"] * flops / 1e12 / ceiling, 3)
    result = {
        "machine": facts,
        "network": {"channels": channels, "crop": crop, "batch_size": batch_size},
        "gflop_per_image": round(flops / 1e9, 2),
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


def new_phase(config: PoMAIConfig, settings: StageOne) -> PoMAIPhase:
    """Stage one with always the same first weights."""
    torch.manual_seed(0)
    return PoMAI.start_phase("stage_one", config, settings, None)


def flops_per_image(config: PoMAIConfig, crop: int) -> float:
    """Floating-point operations of one crop's forward and backward pass.

    The forward pass as torch counts it, three times: the backward pass is two products for each
    one. (Torch's own count of it takes depthwise convolutions for dense ones.)
    """
    network = PoMAI(config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(1, 1, crop, crop), torch.rand(1, 3, crop, crop))
    return 3 * counter.get_total_flops()


def largest_difference(config: PoMAIConfig) -> float:
    """Largest absolute difference between both networks' fused images."""
    torch.manual_seed(0)
    network = PoMAI(config).eval()
    infrared, visible = torch.rand(1, 1, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = plain.fuse(network, infrared, visible, network.ngmm.rotation[0])
        return float((network(infrared, visible) - expected).abs().max())


def in_own_process(
    config: PoMAIConfig, settings: StageOne, folder: Path, changes: dict | None, steps: int
) -> dict:
    """Speed and peak memory of one row; {"error": …} where it could not run."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_measure, args=(sender, config, settings, folder, changes, steps)
    )
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        return {"error": f"the process ended with code {process.exitcode}, see above"}


def _measure(sender, config, settings, folder, changes, steps) -> None:
    device = pick_device(RuntimeConfig())
    phase = new_phase(config, settings)
    times = []
    if changes is None:
        losses = plain.train(phase.to(device), folder, settings.batch_size, settings.crop)
        for _ in range(settings.epochs + 1):
            times.append(time.perf_counter())
            [next(losses) for _ in range(steps)]
    else:
        keep_freed_memory()  # as every command of the project does
        _train(phase, settings, folder, RuntimeConfig(**changes), times)
    spans = np.diff(times)
    sender.send(
        {
            "images_per_second": round(steps * settings.batch_size / float(spans[1:].min()), 2),
            "first_epoch_seconds": round(float(spans[0]), 1),
            "peak_mib": round(machine.peak_memory(device)),
        }
    )


def _train(phase, settings, folder, runtime, times) -> None:
    # the loop's import takes seconds: only where it is used
    from fusion.sampler import load_pairs
    from fusion.train import launch, train_phase

    fabric, store = launch(runtime), load_pairs([folder], settings.crop)
    times.append(time.perf_counter())
    train_phase(
        fabric,
        phase,
        store,
        settings,
        runtime=runtime,
        seed=0,
        checkpoints=folder.parent / f"checkpoints-{os.getpid()}",
        on_epoch=lambda _: times.append(time.perf_counter()),
    )


if __name__ == "__main__":
    typer.run(main)
