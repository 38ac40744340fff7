"""Fusion metrics: this package against the plain per-pair formulation, side by side.

    python -m benchmarks.metrics [--pairs 8] [--height 480] [--width 640] [--repeats 3]
    OMP_NUM_THREADS=1 python -m benchmarks.metrics --pairs 1 --height 2160 --width 3840 --repeats 1

Prints JSON: milliseconds a pair of both, by the clock and in processor time, and their ratios, for
all twelve together and for each alone; and the largest relative difference of their values. The
plain formulation runs on one thread, so on several threads the two ratios differ. The pairs are
generated scenes with texture, noise and flat parts; files are read for "a folder" alone, where the
plain formulation still reads none. The floor of each metric is
named: below it lies only what the machine needs to pass over the pixels as often as the formula
asks.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.plain_metrics import PLAIN
from fusion.core.memory import keep_freed_memory
from fusion.images.decode import write_image
from fusion.images.pairs import find_pairs
from fusion.metrics import CORE, compute
from fusion.metrics.folders import BATCH_PIXELS, evaluate_pairs

LIMITS = {
    "EN": "counting gray levels: scattered writes, one thread",
    "MI": "counting pairs of gray levels: scattered writes, one thread",
    "SD": "one pass over the pixels",
    "MSE": "one pass over three images",
    "CC": "one pass over three images",
    "PSNR": "one pass over three images",
    "SCD": "one pass over three images",
    "SF": "two passes over the pixels",
    "AG": "three passes over the pixels",
    "VIF": "matrix products (four scales, eight local means each)",
    "Qabf": "memory passes, arctangents and logistic functions per pixel",
    "SSIM": "matrix products (eight local means)",
}


def main(pairs: int = 8, height: int = 480, width: int = 640, repeats: int = 3) -> None:
    """Measure both formulations; print the result as JSON."""
    keep_freed_memory()  # as every command of the project does; NumPy profits too
    images = scenes(pairs, height, width)
    batch = max(1, BATCH_PIXELS["cpu"] // (height * width))
    facts = machine.describe(torch.device("cpu"))
    typer.echo(json.dumps({"machine": facts} | measure(images, batch, repeats), indent=2))


def scenes(count: int, height: int, width: int) -> NDArray[np.float32]:
    """3×count×H×W whole gray levels: fused, infrared, visible."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    images = np.empty((3, count, height, width))
    for index in range(count):
        texture = 40 * np.sin(x / (3 + index)) * np.cos(y / 7) + random.normal(0, 6, x.shape)
        visible = np.where(y > height / 3, 90 + texture, 170)
        blob = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 6) ** 2
        infrared = np.where(blob, 220, 60) + random.normal(0, 3, x.shape)
        images[:, index] = 0.6 * visible + 0.4 * infrared, infrared, visible
    return images.clip(0, 255).round().astype(np.float32)


def measure(images: NDArray[np.float32], batch: int, repeats: int) -> dict[str, object]:
    """Times and values of both formulations."""
    levels = torch.tensor(images.astype(np.uint8)).unsqueeze(2)
    fused, infrared, visible = levels
    triples = list(zip(*images, strict=True))
    batches = list(
        zip(fused.split(batch), infrared.split(batch), visible.split(batch), strict=True)
    )

    def plain(names: tuple[str, ...]) -> list[list[float]]:
        return [[PLAIN[name](*triple) for name in names] for triple in triples]

    def ours(names: tuple[str, ...]) -> list[list[float]]:
        parts = [torch.stack([*compute(*part, names).values()], dim=1) for part in batches]
        return torch.cat(parts).tolist()

    expected, found = np.array(plain(CORE)), np.array(ours(CORE))
    rows = {"all twelve": CORE} | {name: (name,) for name in CORE}
    table = {}
    for label, names in rows.items():
        slow = best_time(lambda names=names: plain(names), 1 if label in SLOW else repeats)
        fast = best_time(lambda names=names: ours(names), 2 * repeats)
        table[label] = {
            "plain_ms": round(1e3 * slow.clock / len(triples), 3),
            "ours_ms": round(1e3 * fast.clock / len(triples), 3),
            "ratio": round(slow.clock / fast.clock, 2),
            "plain_processor_ms": round(1e3 * slow.processor / len(triples), 3),
            "ours_processor_ms": round(1e3 * fast.processor / len(triples), 3),
            "processor_ratio": round(slow.processor / fast.processor, 2),
        }
        if label in LIMITS:
            table[label]["limited_by"] = LIMITS[label]
    whole = table["all twelve"]["plain_ms"]
    folder = 1e3 * time_of_folder(images, 2 * repeats).clock / len(triples)
    table["all twelve, a folder"] = {"ours_ms": round(folder, 3), "ratio": round(whole / folder, 2)}
    return {
        "pairs": len(triples),
        "size": list(images.shape[2:]),
        "batch": batch,
        "largest_relative_difference": float(np.max(np.abs(found / expected - 1))),
        "metrics": table,
    }


def time_of_folder(images: NDArray[np.float32], repeats: int) -> "Seconds":
    """Reading and measuring PNG files, as `pomai evaluate` and the pipeline do."""
    with TemporaryDirectory() as work:
        folders = {kind: Path(work) / kind for kind in ("fused", "ir", "vi")}
        for folder, planes in zip(folders.values(), images.astype(np.uint8), strict=True):
            folder.mkdir()
            for index, plane in enumerate(planes):
                write_image(folder / f"{index}.png", plane)
        pairs = find_pairs(folders["ir"], folders["vi"])
        return best_time(lambda: evaluate_pairs(pairs, folders["fused"]), repeats)


SLOW = ("all twelve", "VIF")


class Seconds(NamedTuple):
    """By the clock, and of all threads together."""

    clock: float
    processor: float


def best_time(action: Callable[[], object], repeats: int) -> Seconds:
    """The least of either of several runs, after one to warm up."""
    action()
    times = []
    for _ in range(repeats):
        clock, processor = time.perf_counter(), time.process_time()
        action()
        times.append((time.perf_counter() - clock, time.process_time() - processor))
    return Seconds(*(min(column) for column in zip(*times, strict=True)))


if __name__ == "__main__":
    typer.run(main)
