"""A clone of this repository on the tiny profile, and what tests do with one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROFILE = ("profile=tiny", "method=[average,pomai]")
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")
FUSION_ONLY = ("detect_on=[]", "segment_on=[]")


def run(project, *command, code=0, fresh=False):
    """A command in the project, with the environment's `bin` on PATH as `uv run` gives it.

    A folder `bin` beside the project comes first, where there is one: its programs start from
    loaded packages, unless the command is to run in a fresh process, as a user's does.
    """
    environment = {"OMP_NUM_THREADS": "2"} | os.environ
    first = [] if fresh else [str(project.parent / "bin")]
    environment["PATH"] = os.pathsep.join([*first, str(BIN), os.environ["PATH"]])
    environment["DVC_NO_ANALYTICS"] = "1"
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as most users: compiled modules appear
    result = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def metrics(project):
    return json.loads((project / "results/metrics.json").read_text())


def table(project):
    return pd.read_csv(project / "results/leaderboard.csv", index_col="method")


def ran(output):
    """Names of the stages that DVC ran."""
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


def lock(project):
    """What DVC knows of each stage: checksums of everything it read and wrote."""
    return yaml.safe_load((project / "dvc.lock").read_text())["stages"]


def modified(project, *patterns):
    """Times of all files of some folders."""
    files = [
        f for pattern in patterns for folder in project.glob(pattern) for f in folder.iterdir()
    ]
    return {file: file.stat().st_mtime_ns for file in files}


def commit(project):
    run(project, "git", "add", "-A")
    run(project, "git", *IDENTITY, "commit", "-q", "-m", "state")


def restore(project):
    run(project, "git", "checkout", "-q", ".")
    run(project, "git", "clean", "-qfd")
    run(project, "dvc", "checkout", "-q")


def overrides(*values):
    """The profile's, and others that replace those of the same key."""
    return list({value.partition("=")[0]: value for value in (*PROFILE, *values)}.values())


def reproduce(project, *values):
    """`dvc repro` with other parameters; returns what it prints."""
    run(project, "pomai", "params", *overrides(*values))
    return run(project, "dvc", "repro")


def experiment(project, *values, target=()):
    """`dvc exp run` with other parameters; returns what it prints."""
    settings = [item for value in overrides(*values) for item in ("-S", value)]
    return run(project, "dvc", "exp", "run", *target, *settings)
