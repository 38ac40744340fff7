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


def run(project, *command, code=0):
    """A command in the project, with the environment's `bin` on PATH as `uv run` gives it.

    A folder `bin` beside the project comes first, where there is one.
    """
    environment = {"OMP_NUM_THREADS": "2"} | os.environ
    folders = (str(project.parent / "bin"), str(BIN), os.environ["PATH"])
    environment["PATH"] = os.pathsep.join(folders)
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
    chosen = {value.partition("=")[0]: value for value in (*PROFILE, *values)}
    return [item for value in chosen.values() for item in ("-S", value)]
