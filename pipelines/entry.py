"""Runs a stage function as a command: an InputError becomes one line and exit status 1."""

import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

import typer

from fusion.core.errors import InputError
from fusion.core.memory import keep_freed_memory


def run(command: Callable[..., Any]) -> None:
    """Run a stage's function as a command line; problems with the user's input end in one line."""
    keep_freed_memory()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a Windows pipe has no arrows
    try:
        typer.run(command)
    except InputError as error:
        sys.exit(f"error: {error}")
