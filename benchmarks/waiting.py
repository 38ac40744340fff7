"""A stage beside busy processes, with OpenMP threads that spin while they wait and ones that sleep.

    pomai params profile=tiny detection.epochs=10 runtime.reproducible=false
    dvc repro fuse@average-m3fd
    python -m benchmarks.waiting detect average m3fd 0 --threads 2 --busy 2

Run in a project whose earlier stages are up to date. Each run works in a fresh copy; the policies
take turns, so that the machine's other work strikes both. The fastest run of each counts.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

POLICIES = ("PASSIVE", "unset", "ACTIVE")


def seconds(stage: list[str], policy: str, threads: int, limit: float) -> float:
    """Wall time of a stage in a copy of the project, without what earlier runs left.

    A run that takes longer than `limit` is ended, and counts as `limit`.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": policy}
    if policy == "unset":
        del environment["OMP_WAIT_POLICY"]
    # the package sets the policy where it is not set: torch is loaded before it
    script = "import torch, sys; sys.argv[0] = ''; from pipelines.entry import guard, run_stage"
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "project"
        ignored = shutil.ignore_patterns(".git", ".dvc", ".venv", "runs")
        shutil.copytree(Path.cwd(), copy, ignore=ignored)
        began = time.perf_counter()
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-c", f"{script}; guard(run_stage)", *stage],
                cwd=copy,
                env=environment,
                check=True,
                capture_output=True,
                timeout=limit,
            )
        return time.perf_counter() - began


def main(
    stage: Annotated[list[str], typer.Argument(help="The stage and its arguments.")],
    threads: Annotated[int, typer.Option(help="Threads of the stage.")] = 2,
    busy: Annotated[int, typer.Option(help="Processes that compute beside it.")] = 2,
    rounds: Annotated[int, typer.Option(help="Runs with each policy.")] = 2,
    limit: Annotated[float, typer.Option(help="Seconds after which a run is ended.")] = 1800.0,
) -> None:
    """Print the times as JSON."""
    times: dict[str, list[float]] = {policy: [] for policy in POLICIES}
    with ExitStack() as started:
        for _ in range(busy):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            started.callback(process.wait)
            started.callback(process.kill)
        for _ in range(rounds):
            for policy in POLICIES:
                times[policy].append(round(seconds(stage, policy, threads, limit), 1))
                typer.echo(f"{policy}: {times[policy][-1]} s", err=True)
    best = {policy: min(values) for policy, values in times.items()}
    result = {
        "cores": os.cpu_count(),
        "threads": threads,
        "busy_processes": busy,
        "limit_seconds": limit,
        "seconds": times,
        "times_as_slow_as_passive": {p: round(best[p] / best["PASSIVE"], 2) for p in POLICIES},
    }
    typer.echo(json.dumps(result, indent=2))


if __name__ == "__main__":
    typer.run(main)
