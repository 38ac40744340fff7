"""Resident memory of `pomai fuse --video` on short and on long videos.

    python -m benchmarks.long_video --ir MSRS/ir --vi MSRS/vi

The videos are made: a window of 160×120 moves over stills of aligned pairs. Prints JSON: for each
method and number of frames, the peak of the process's resident memory, the memory at each tenth of
the time after the first, and the CPU seconds. `average` costs next to nothing, so that its row
shows what decoding, pairing and encoding need.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer

from benchmarks.clips import Moment, encode, moving_window
from benchmarks.machine import MIB
from fusion.images.pairs import find_pairs
from fusion.images.panels import spread
from fusion.inference.pretrained import released_networks
from fusion.methods.average import Average
from fusion.methods.files import save_model

SIZE, STEP, STILLS = (120, 160), 2, 10


def main(
    ir: Annotated[Path, typer.Option()],
    vi: Annotated[Path, typer.Option()],
    methods: str = "average,pomai-tiny",
    frames: str = "300,3000",
    interval: float = 0.2,
) -> None:
    """Fuse videos of so many FRAMES by each method; print the result as JSON."""
    counts = sorted(int(count) for count in frames.split(","))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder / "average", "average", Average(Average.config_class()), {})
        for count in counts:
            write_videos(folder, ir, vi, count)
            for method in methods.split(","):
                weights = method if method in released_networks() else str(folder / method)
                measured = watch(command(folder, count, weights), interval)
                rows.append({"method": method, "frames": count, **measured})
    facts = {"size": list(SIZE), "threads": os.environ.get("OMP_NUM_THREADS", "all")}
    typer.echo(json.dumps(facts | {"runs": rows}, indent=1))


def write_videos(folder: Path, ir: Path, vi: Path, count: int) -> None:
    """`ir<count>.mp4` and `vi<count>.mp4`: each still in turn, for an equal share of the frames."""
    for kind in Moment._fields:
        moments = _moments(ir, vi, count)
        frames = (getattr(moment, kind) for moment in moments)
        encode(folder / f"{kind}{count}.mp4", SIZE, frames)


def _moments(ir: Path, vi: Path, count: int) -> Iterator[Moment]:
    stills = spread(find_pairs(ir, vi), STILLS)
    shares = np.diff(np.linspace(0, count, len(stills) + 1).astype(int))
    clips = zip(stills, shares, strict=True)
    return chain.from_iterable(moving_window(pair, share, SIZE, STEP) for pair, share in clips)


def command(folder: Path, count: int, weights: str) -> list[str]:
    """The command line that fuses the videos of `write_videos`."""
    paths = {"ir": f"infrared{count}.mp4", "vi": f"visible{count}.mp4", "out": "fused.mp4"}
    options = [text for name, file in paths.items() for text in (f"--{name}", str(folder / file))]
    program = [str(Path(sys.executable).with_name("pomai")), "fuse", "--video", "--overwrite"]
    return [*program, *options, "--weights", weights, "--device", "cpu"]


def watch(arguments: list[str], interval: float) -> dict[str, object]:
    """Run a command, and read its resident memory again and again."""
    samples: list[float] = []
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as process:
        running = psutil.Process(process.pid)
        times = running.cpu_times()
        while process.poll() is None:
            try:
                samples.append(running.memory_info().rss / MIB)
                times = running.cpu_times()
            except psutil.Error:  # it has just ended
                break
            time.sleep(interval)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    tenths = np.array_split(samples, 10)[1:]
    return {
        "peak_mib": round(max(samples)),
        "course_mib": [round(float(np.max(part))) for part in tenths if len(part)],
        "cpu_seconds": round(times.user + times.system, 1),
    }


if __name__ == "__main__":
    typer.run(main)
