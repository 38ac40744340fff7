"""Speed and memory of fusing, by setting, against the plain formulation.

    python -m benchmarks.inference --rounds 3 --out benchmarks/results/cpu-inference.json

Released networks fuse one generated pair of each size. On a CPU every measurement runs in a
process of its own; rounds go through the settings in turn, so a machine's other work strikes all of
them, and times are medians over the rounds. What the clock shows of a busy machine is split in two
on a CPU: `ms` is waiting included, `cpu_ms` is what the process itself computed. `real_time` is
pairs in the time of one video frame, `times_as_fast` the ratio to the first network.

Hash codes of pixels that tie to the last bit fall differently in every rounding, and groups shift
by one pixel then: `difference` is of the fused images as they are, `difference_same_codes` with the
plain formulation's codes handed over.
"""

import json
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
import typer
from torch import Tensor

from benchmarks import machine, plain
from benchmarks.metrics import scenes
from fusion.core.config import RuntimeConfig
from fusion.core.memory import keep_freed_memory
from fusion.core.runtime import autocast, pick_device
from fusion.inference.pretrained import load
from fusion.methods.pomai.method import PoMAI

PLAIN = "plain"
SETTINGS: dict[str, dict[str, Any]] = {
    "fp32": {"channels_last": False},
    "tf32": {"channels_last": False},
    "fp32 channels_last": {},
    "tf32 channels_last": {},
    "bf16": {"precision": "bf16-mixed", "channels_last": False},
    "bf16 channels_last": {"precision": "bf16-mixed"},
    "fp32 channels_last compile": {"compile": True},
    "tf32 channels_last compile": {"compile": True},
    "bf16 channels_last compile": {"precision": "bf16-mixed", "compile": True},
}
FRAMES_PER_SECOND = 25


def main(
    sizes: str = "480x640,768x1024",
    networks: str = "pomai-base,pomai-tiny",
    rounds: int = 3,
    compiled: bool = True,
    only: str = "",
    out: Path | None = None,
) -> None:
    """Measure all settings, or ONLY some; print the result as JSON (and write it to OUT)."""
    device = pick_device(RuntimeConfig())
    facts = machine.describe(device)
    names = [
        name
        for name in (PLAIN, *(only.split(",") if only else SETTINGS))
        if (compiled or "compile" not in name) and (device.type == "cuda" or "tf32" not in name)
    ]
    tables = {}
    for size in sizes.split(","):
        height, width = (int(side) for side in size.split("x"))
        for network in networks.split(","):
            rows = measure_settings(network, names, height, width, rounds, device)
            tables[f"{network}, {size}"] = table(network, rows, height, width, facts)
            compare(tables[f"{network}, {size}"], tables[f"{networks.split(',')[0]}, {size}"])
    result = {"machine": facts, "rounds": rounds, "pairs": tables}
    typer.echo(json.dumps(result, indent=2))
    if out:
        out.write_text(json.dumps(result, indent=2) + "\n")


def measure_settings(
    network: str, names: list[str], height: int, width: int, rounds: int, device: torch.device
) -> dict[str, list[dict]]:
    """Measurements by setting, a list over the rounds."""
    rows: dict[str, list[dict]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            for name in names:
                job = (network, name, height, width, Path(folder), turn == 0)
                measured = machine.isolated(measure, device, *job)
                rows[name].append(measured)
                typer.echo(f"{network}, {height}x{width}, {name}: {measured}", err=True)
    return rows


def build(network: str) -> PoMAI:
    """A released network."""
    method = load(network).method.to(memory_format=torch.contiguous_format)
    assert isinstance(method, PoMAI)
    return method


def make_pair(height: int, width: int) -> tuple[Tensor, Tensor]:
    """1×1×H×W and 1×3×H×W in [0, 1]."""
    _, infrared, visible = torch.from_numpy(scenes(1, height, width)) / 255
    return infrared[None], visible[None].expand(-1, 3, -1, -1).contiguous()


def measure(
    network: str, setting: str, height: int, width: int, folder: Path, first: bool
) -> dict[str, Any]:
    """Times and peak memory of one setting; in the first round its differences and kernels."""
    machine.use_tf32("tf32" in setting)
    if setting != PLAIN:
        keep_freed_memory()  # as every command of the project does
    runtime = RuntimeConfig(**SETTINGS.get(setting, {"channels_last": False}))
    device = pick_device(runtime)
    method = build(network).to(device)
    if runtime.channels_last:
        method.to(memory_format=torch.channels_last)
    images = tuple(image.to(device) for image in make_pair(height, width))
    rotation = method.ngmm.rotation[0]
    if runtime.compile:
        method.compile()

    def fuse() -> Tensor:
        if setting == PLAIN:
            return plain.fuse(method, *images, rotation)
        return method(*images)

    with torch.inference_mode(), autocast(runtime, device):
        started = time.perf_counter()
        with given_codes(setting, folder / "codes.pt", device) if first else nullcontext():
            same_codes = fuse()
        machine.synchronize(device)
        row: dict[str, Any] = {"first_call_seconds": round(time.perf_counter() - started, 2)}
        fused, row["times"] = timed(fuse, device)
        row["peak_mib"] = round(machine.peak_memory(device))
        if first:
            row |= differences(setting, folder / "fused.pt", fused, same_codes)
            kernels = machine.Kernels(device)
            kernels.start()
            fuse()
            row["slowest"] = kernels.slowest()
    return row


def timed(fuse, device: torch.device, seconds: float = 1.0) -> tuple[Tensor, list]:
    """Wall and process seconds of every call until a while has passed."""
    times, until = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        started, worked = time.perf_counter(), time.process_time()
        fused = fuse()
        machine.synchronize(device)
        times.append((time.perf_counter() - started, time.process_time() - worked))
    return fused, times


def given_codes(setting: str, path: Path, device: torch.device):
    """Keep the plain formulation's hash codes, and hand them to all others but compiled ones."""
    if setting == PLAIN:
        hash_codes = plain.hash_codes

        def keep(key: Tensor, rotation: Tensor) -> Tensor:
            codes = hash_codes(key, rotation)
            torch.save(codes.cpu(), path)
            return codes

        return patch("benchmarks.plain.hash_codes", keep)
    if "compile" in setting:
        return nullcontext()
    codes = torch.load(path).to(device)
    return patch("fusion.methods.pomai.neighbor_groups.cross_polytope_codes", lambda *_: codes)


def differences(setting: str, path: Path, fused: Tensor, same_codes: Tensor) -> dict[str, float]:
    """Largest and mean absolute difference from the plain formulation's image."""
    if setting == PLAIN:
        torch.save(fused.cpu(), path)
        return {}
    expected = torch.load(path)
    apart = (fused.cpu() - expected).abs()
    found = {"difference": float(apart.max()), "mean_difference": float(apart.mean())}
    if "compile" not in setting:
        found["difference_same_codes"] = float((same_codes.cpu() - expected).abs().max())
    return found


def table(
    network: str, rows: dict[str, list[dict]], height: int, width: int, facts: dict
) -> dict[str, Any]:
    """Medians over the rounds, beside the plain formulation and the machine's ceilings."""
    flops, traffic, own_traffic = work(network, height * width)
    shown = {}
    for name, turns in rows.items():
        if broken := [turn for turn in turns if "error" in turn]:
            shown[name] = broken[0]
            continue
        seconds, worked = (
            median(time[place] for turn in turns for time in turn["times"]) for place in (0, 1)
        )
        shown[name] = {
            "ms": round(1e3 * seconds, 2),
            "peak_mib": max(turn["peak_mib"] for turn in turns),
            "first_call_seconds": turns[0]["first_call_seconds"],
            "tflops": round(flops / seconds / 1e12, 3),
            "matmul_share": round(flops / seconds / 1e12 / machine.matmul_limit(facts, name), 3),
        }
        if facts["device"] == "cpu":
            shown[name]["cpu_ms"] = round(1e3 * worked)
        if "compile" not in name and "bf16" not in name:
            moved = traffic if name == PLAIN else own_traffic
            shown[name]["gb_per_second"] = round(moved / seconds / 1e9, 1)
        extras = ("difference", "mean_difference", "difference_same_codes", "slowest")
        shown[name] |= {key: turns[0][key] for key in extras if key in turns[0]}
    for row in shown.values():
        for clock, ratio in (("ms", "speedup"), ("cpu_ms", "cpu_speedup")):
            if clock in row and clock in shown[PLAIN]:
                row[ratio] = round(shown[PLAIN][clock] / row[clock], 2)
    return {
        "gflop": round(flops / 1e9, 1),
        "plain_gb_moved": round(traffic / 1e9, 2),
        "gb_moved": round(own_traffic / 1e9, 2),
        "rows": shown,
    }


def work(network: str, pixels: int) -> tuple[float, float, float]:
    """Operations and bytes of the plain formulation, and the network's own bytes.

    Counted on a small pair: everything is linear in pixels.
    """
    method, images = build(network), make_pair(96, 144)
    scale, rotation = pixels / (96 * 144), method.ngmm.rotation[0]
    flops, traffic = machine.work_of(lambda: plain.fuse(method, *images, rotation))
    _, own_traffic = machine.work_of(lambda: method(*images))
    return scale * flops, scale * traffic, scale * own_traffic


def compare(own: dict[str, Any], first: dict[str, Any]) -> None:
    """Add to every row how fast it is beside the first network's and beside a video."""
    for name, row in own["rows"].items():
        if "ms" in row:
            row["real_time"] = round(1e3 / row["ms"] / FRAMES_PER_SECOND, 3)
            if "ms" in first["rows"][name]:
                row["times_as_fast"] = round(first["rows"][name]["ms"] / row["ms"], 2)


if __name__ == "__main__":
    typer.run(main)
