"""Stages side by side: wall time against the ideal, the overhead of a stage, and DVC's lock.

    python -m benchmarks.scaling --out benchmarks/results/cpu-scaling.json

Each measurement runs in a fresh DVC project, whose stages sleep and then write files that DVC
hashes. `ideal_seconds` is what the sleeping alone takes. `hashing` has four stages that end at the
same time: DVC hashes outputs under its lock, and `side_by_side_seconds` shows whether they wait for
each other. `lock_file` is the cost of writing this repository's dvc.lock once.
"""

import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from dvc.utils.serialize import modify_yaml

STAGES = 8
JOBS = (1, 2, 4, 8)

STAGE = """
import os, sys, time
from pathlib import Path
name, seconds, files, kib = sys.argv[1], *map(float, sys.argv[2:])
time.sleep(seconds)
folder = Path("out", name)
folder.mkdir(parents=True)
for index in range(int(files)):
    (folder / f"{index:05d}.png").write_bytes(os.urandom(int(kib * 1024)))
"""

PIPELINE = """
stages:
  fan:
    foreach: [{names}]
    do:
      cmd: python stage.py ${{item}} {seconds} {files} {kib}
      deps: [stage.py]
      outs: ["out/${{item}}"]
"""


@contextmanager
def project(stages: int, seconds: float, files: int, kib: float) -> Iterator[Path]:
    """Write a DVC project of stages that do not depend on each other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = ", ".join(f"s{index}" for index in range(stages))
        content = PIPELINE.format(names=names, seconds=seconds, files=files, kib=kib)
        (folder / "dvc.yaml").write_text(content)
        (folder / "stage.py").write_text(STAGE)
        for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
            subprocess.run(command, cwd=folder, check=True)
        yield folder


def timed(folder: Path, *command: str) -> tuple[float, float]:
    """Wall and CPU seconds of a command, its child processes included."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    began, before = time.perf_counter(), _cpu()
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout.decode() + done.stderr.decode())
    return time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def repro(jobs: int) -> list[str]:
    """The command that is measured."""
    return ["-m", "pipelines.cli", "repro", "--jobs", str(jobs), "--gpus", "none"]


def fan_out(seconds: float) -> dict[str, Any]:
    """Eight stages that sleep and write 16 files of 16 KiB, one to eight at a time."""
    rows: dict[str, Any] = {}
    for jobs in JOBS:
        with project(STAGES, seconds, 16, 16) as folder:
            wall, cpu = timed(folder, *repro(jobs))
        ideal = math.ceil(STAGES / jobs) * seconds
        rows[str(jobs)] = {
            "seconds": round(wall, 1),
            "ideal_seconds": round(ideal, 1),
            "cpu_seconds_a_stage": round(cpu / STAGES, 2),
        }
        typer.echo(f"{jobs} jobs: {rows[str(jobs)]}", err=True)
    with project(STAGES, seconds, 16, 16) as folder:
        wall, cpu = timed(folder, "-m", "dvc", "repro", "--quiet")
    return {
        "stages": STAGES,
        "stage_seconds": seconds,
        "jobs": rows,
        "plain_dvc_repro": {"seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)},
    }


def up_to_date() -> dict[str, Any]:
    """A second run, in which nothing is to be done: no process a stage."""
    with project(STAGES, 0, 16, 16) as folder:
        timed(folder, "-m", "dvc", "repro", "--quiet")
        wall, cpu = timed(folder, *repro(4))
    return {"seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)}


def hashing(files: int, kib: float) -> dict[str, Any]:
    """Four stages that write many files at once, against the same stages in a row."""
    each = files // 4
    walls = {}
    for name, jobs in (("in_a_row_seconds", 1), ("side_by_side_seconds", 4)):
        with project(4, 0, each, kib) as folder:
            walls[name] = round(timed(folder, *repro(jobs))[0], 1)
        with project(4, 0, 1, 1) as folder:  # what remains is writing and hashing
            walls[f"{name}_of_one_small_file"] = round(timed(folder, *repro(jobs))[0], 1)
        typer.echo(str(walls), err=True)
    return {"files": 4 * each, "kib": kib} | walls


def lock_file() -> dict[str, Any]:
    """What DVC does with dvc.lock whenever a stage ends: read all of it and write it again."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(shutil.copy("dvc.lock", name))
        began = time.process_time()
        with modify_yaml(copy) as content:
            stages = len(content["stages"])
        seconds = time.process_time() - began
    return {"stages": stages, "cpu_seconds": round(seconds, 2)}


def main(
    seconds: Annotated[float, typer.Option(help="How long a stage sleeps.")] = 20.0,
    files: Annotated[int, typer.Option(help="Files that four stages write together.")] = 4200,
    kib: Annotated[float, typer.Option(help="Size of such a file.")] = 64.0,
    out: Annotated[Path | None, typer.Option(help="File to write as well.")] = None,
) -> None:
    """Print the times as JSON."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    assert free > 3 * files * kib * 1024, "the files need room twice: in the project and the cache"
    before = os.getloadavg()[0]
    result = {
        "machine": {"cores": os.cpu_count(), "load_average_before": round(before, 1)},
        "fan_out": fan_out(seconds),
        "up_to_date": up_to_date(),
        "hashing": hashing(files, kib),
        "lock_file": lock_file(),
    }
    text = json.dumps(result, indent=2)
    typer.echo(text)
    if out:
        out.write_text(text + "\n")


if __name__ == "__main__":
    typer.run(main)
