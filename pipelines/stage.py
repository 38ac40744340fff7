"""The border of every command: options in, a clear word and an exit code out."""

import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import typer

from fusion.images import InputError
from fusion.memory import keep_freed_memory

PREPARED = Path("data/prepared")
TRAINING_PAIRS = Path("data/train")
TEACHERS = Path("data/teachers")
MODELS = Path("models")
FUSED = Path("fused")
SCORES = Path("scores")
PLOTS = Path("plots")
PICTURES = Path("pictures")
RUNS = Path("runs")
WEIGHTS = Path("weights")


def run(command: Callable[..., Any]) -> None:
    """Run a stage's function as a command line; problems with the user's input end in one line."""
    keep_freed_memory()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a Windows pipe has no arrows
    try:
        typer.run(command)
    except InputError as error:
        sys.exit(f"error: {error}")
