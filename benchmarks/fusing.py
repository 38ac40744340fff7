"""Fusing on a CPU, by this code and by another version of it: network, start-up, folders.

    python -m benchmarks.fusing --other /path/to/another/checkout --out result.json

Versions take turns, so that a busy machine slows all of them alike, and the fastest run of each
counts. `cpu_seconds` are of the processor: other programs add little to them.

network: one 480×640 pair through a released network, on one thread. `limits` are the seconds in
    which this machine does its arithmetic at the rate of a large matrix product, and moves the
    bytes that its operations read and write, one kernel an operation, at the rate of a copy.
start: `pomai fuse` on one pair, without what the network itself takes, beside `import torch`.
folder: `pomai fuse` on a folder of pairs, on one thread and on two. `seconds` are those on the
    clock, which mean little on a busy machine; `busy` is the processor's time in them.
    `two_threads` is the ratio of both, start-up included; `two_threads_a_pair` is that of a
    further pair, from the difference to a folder of two pairs.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer

from benchmarks import machine
from benchmarks.prepare import write_pairs
from fusion.inference.pretrained import load

NETWORK = """
import sys, time, torch
from fusion.core.memory import keep_freed_memory
keep_freed_memory()
torch.set_num_threads(1)
from fusion.inference.pretrained import load
fuse = load(sys.argv[1])
torch.manual_seed(0)
coarse = torch.rand(1, 4, 12, 16)
image = torch.nn.functional.interpolate(coarse, (480, 640), mode="bicubic").clamp(0, 1)
levels = (255 * image).round().byte()
infrared, visible = levels[:, :1].contiguous(), levels[:, 1:].contiguous()
times = []
for _ in range(4):
    start = time.process_time()
    fuse(infrared, visible)
    times.append(time.process_time() - start)
print(min(times))
"""
"""Fuses one pair several times and prints the fastest."""

COMMAND = """
import sys, time
import fusion.inference.fuse as fuse
import fusion.inference.tiles as tiles
spent = 0.0
def timed(function):
    def call(*arguments):
        global spent
        start = time.process_time()
        result = function(*arguments)
        spent += time.process_time() - start
        return result
    return call
tiles.bytes_per_pixel = timed(tiles.bytes_per_pixel)
fuse.fuse_in_tiles = timed(fuse.fuse_in_tiles)
from pipelines.cli import main
sys.argv[0] = "pomai"
try:
    main()
finally:
    print("network", spent)
"""
"""The `pomai` command; it prints last what the network took."""


FEW = 2
"""Pairs of the small folder."""


def main(
    other: Annotated[Path | None, typer.Option(help="Another checkout to compare with.")] = None,
    networks: str = "pomai-tiny,pomai-base",
    pairs: Annotated[int, typer.Option(min=FEW + 1, help="Pairs of the folder.")] = 12,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    out: Path | None = None,
) -> None:
    """Measure both versions; print the result as JSON (and write it to OUT)."""
    versions = {"this": Path.cwd()} | ({"other": other.resolve()} if other else {})
    result = {
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "network": {
            name: network_times(name, versions, rounds) | {"limits": limits(name)}
            for name in networks.split(",")
        },
        "start": start_times(versions, rounds),
        "folder": folder_times(versions, pairs, rounds),
    }
    typer.echo(json.dumps(result, indent=2))
    if out:
        out.write_text(json.dumps(result, indent=2) + "\n")


def network_times(name: str, versions: Mapping[str, Path], rounds: int) -> dict[str, Any]:
    """CPU seconds of one pair by version.

    Each measurement is a process of its own: where its memory lies changes times by a tenth.
    """

    def once(version: str) -> float:
        return float(run(["-c", NETWORK, name], versions[version], threads=1)[2])

    return compared(in_turns(versions, rounds, once))


def limits(name: str) -> dict[str, float]:
    """Seconds of the network's arithmetic and of its bytes on one thread, as described above."""
    torch.set_num_threads(1)
    method, device = load(name).method, torch.device("cpu")
    pair = torch.rand(1, 1, 480, 640), torch.rand(1, 3, 480, 640)
    flops, moved = machine.work_of(lambda: method(*pair))
    return {
        "arithmetic": round(flops / 1e12 / machine.matmul_ceiling(device, torch.float32), 3),
        "memory": round(moved / 1e9 / machine.bandwidth_ceiling(device), 3),
    }


def start_times(versions: Mapping[str, Path], rounds: int) -> dict[str, Any]:
    """CPU seconds of `pomai fuse` without the network, and their ratio to importing torch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pairs(folder, 1, 640, 480)

        def once(version: str) -> float:
            if version == "import torch":
                return run(["-c", "import torch"], folder, threads=1)[1]
            return fuse(folder, versions[version], threads=1)[1]

        times = in_turns(["import torch", *versions], rounds, once)
    fastest = least(times)
    beside = {name: fastest[name] / fastest["import torch"] for name in versions}
    return compared(times) | {"times_import_torch": rounded(beside)}


def folder_times(versions: Mapping[str, Path], pairs: int, rounds: int) -> dict[str, Any]:
    """Seconds of a folder by version and number of threads."""
    with tempfile.TemporaryDirectory() as name:
        folders = {count: Path(name) / str(count) for count in (FEW, pairs)}
        for count, folder in folders.items():
            write_pairs(folder, count, 640, 480)
        jobs = [f"{version}, {threads}" for version in versions for threads in (1, 2)]
        busy: dict[str, list[float]] = {job: [] for job in jobs}

        def once(job: str, count: int) -> float:
            version, threads = job.split(", ")
            seconds, processor = fuse(folders[count], versions[version], int(threads), network=True)
            if count == pairs:
                busy[job].append(processor)
            return seconds

        few = least(in_turns(jobs, rounds, lambda job: once(job, FEW)))
        all_pairs = least(in_turns(jobs, rounds, lambda job: once(job, pairs)))
    further = {job: (all_pairs[job] - few[job]) / (pairs - FEW) for job in jobs}
    return {
        "pairs": pairs,
        "seconds": rounded(all_pairs),
        "busy": rounded(least(busy)),
        "seconds_a_pair": rounded(further),
        "two_threads": rounded(ratios(all_pairs, versions)),
        "two_threads_a_pair": rounded(ratios(further, versions)),
    }


def least(times: Mapping[str, list[float]]) -> dict[str, float]:
    """The fastest run of each."""
    return {name: min(seconds) for name, seconds in times.items()}


def ratios(seconds: Mapping[str, float], versions: Mapping[str, Path]) -> dict[str, float]:
    """How many times as fast two threads are as one."""
    return {version: seconds[f"{version}, 1"] / seconds[f"{version}, 2"] for version in versions}


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def fuse(
    folder: Path, checkout: Path, threads: int, *, network: bool = False
) -> tuple[float, float]:
    """Seconds on the clock and of the processor of `pomai fuse`, with or without the network."""
    places = [f"--ir={folder / 'Ir'}", f"--vi={folder / 'Vis'}", f"--out={folder / 'fused'}"]
    options = ["fuse", *places, "--overwrite", "--device=cpu"]
    seconds, processor, printed = run(["-c", COMMAND, *options], checkout, threads)
    spent = float(printed.split("network")[-1])
    return seconds, processor if network else processor - spent


def run(arguments: list[str], folder: Path, threads: int) -> tuple[float, float, str]:
    """Seconds on the clock, of the processor, and the output of Python with these arguments."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, processor, done.stdout


def in_turns(
    names: Mapping[str, Any] | list[str], rounds: int, once: Callable[[str], float]
) -> dict[str, list[float]]:
    """What `once` returns for each name, the names in turn."""
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            times[name].append(once(name))
    return times


def compared(times: Mapping[str, list[float]]) -> dict[str, Any]:
    """The fastest run of each, and how many times as fast this version is as the other."""
    result: dict[str, Any] = {
        "cpu_seconds": {name: round(min(seconds), 3) for name, seconds in times.items()},
        "median": {name: round(median(seconds), 3) for name, seconds in times.items()},
    }
    if "other" in times:
        result["times_as_fast"] = round(min(times["other"]) / min(times["this"]), 2)
    return result


if __name__ == "__main__":
    typer.run(main)
