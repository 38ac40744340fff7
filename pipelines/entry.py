"""Runs stage functions and commands; every error becomes one line and an exit status."""

import errno
import os
import platform
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir
from typing import TYPE_CHECKING, Any

import typer

from fusion.core.arithmetic import fix_arithmetic
from fusion.core.errors import InputError, printable, shortened
from fusion.core.memory import keep_freed_memory

if TYPE_CHECKING:
    from pipelines.params import Params

FAILED, BUG = 1, 70
"""Exit statuses: an error outside the program, and a bug in it (EX_SOFTWARE)."""

_EXHAUSTED = ("out of memory", "can't allocate memory", "Insufficient memory", "not enough memory")
"""Messages of libraries without an exception class for this error: torch, OpenCV."""

_LINK_LOOP = "Symlink loop from"
"""What `Path.resolve` says before Python 3.13, which has no error for it."""


STAGES = (
    "generate",
    "prepare",
    "train",
    "teach",
    "model",
    "fuse",
    "evaluate",
    "detect",
    "segment",
    "report",
    "page",
)
"""The modules of `pipelines.stages`."""

_BEFORE_SOURCES_ARE_READ = frozenset({"generate", "prepare", "train", "teach", "model"})
_BEFORE_SEGMENTATION = _BEFORE_SOURCES_ARE_READ | {"detect", "segment"}
"""Stages that may start a run of hours; the others also work where only their inputs are."""


def run_stage() -> None:
    """Run the stage that the command line names, with its arguments.

    params.yaml is read before the stage's module is imported: a wrong value is named within a
    second, and `runtime.reproducible` works before a library that computes is loaded.

    Raises:
        InputError: there is no such stage; params.yaml is not valid, or names what is not there;
            an argument is no name there.
    """
    from pipelines import params
    from pipelines.preflight import require_possible
    from pipelines.sources import require_sources

    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in STAGES:
        raise InputError(f"stage '{name}'", "does not exist", f"choose from {', '.join(STAGES)}")
    content = params.read()
    if reproducible := params.is_reproducible(content):
        fix_arithmetic()  # first: to validate a user's method imports it, and what it imports
    settings = params.validate(content)
    if name in _BEFORE_SOURCES_ARE_READ:
        require_sources(settings)
    module = import_module(f"pipelines.stages.{name}")
    if reproducible and "torch" in sys.modules:
        from fusion.core.runtime import use_deterministic_algorithms

        use_deterministic_algorithms()
    if name in _BEFORE_SEGMENTATION:
        require_possible(settings)
    app = new_app(add_completion=False)
    app.command(name)(_with_known_names(module.main, settings))
    app(sys.argv[2:], prog_name=f"python -m pipelines.stages {name}")


def _with_known_names(stage: Callable[..., None], settings: "Params") -> Callable[..., None]:
    """The stage's function, with its arguments checked.

    They are `method`, `dataset`, `key` (a training phase) or `seed`.
    """

    @wraps(stage)
    def checked(**names: Any) -> None:
        settings.require(**names)
        stage(**names)

    return checked


def new_app(**settings: Any) -> typer.Typer:
    """A command line without Rich: it starts sooner and prints every name as it is."""
    return typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, **settings)


def guard(program: Callable[[], object]) -> None:
    """Run a program and exit with its status.

    Bad input, a failed read or write and exhausted memory end in one line and status 1. Any other
    exception is a bug: one line names the file of the full report, and the status is 70. Characters
    that the output's encoding does not have are printed as `?`. If the output cannot be written,
    the status is 1; a closed pipe prints no message.
    """
    keep_freed_memory()
    _open_streams()
    end = _end_of(program)
    try:
        sys.stdout.flush()
    except OSError as error:
        end = end or (FAILED if error.errno == errno.EPIPE else f"error: {_line_of(error)}")
        # what waits to be written would fail once more when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(end)


def _end_of(program: Callable[[], object]) -> int | str | None:
    """The argument of `sys.exit`: a status, or a line for status 1."""
    try:
        program()
    except SystemExit as end:
        return end.code
    except BrokenPipeError:
        return FAILED
    except InputError as error:
        return f"error: {error}"
    except Exception as error:  # noqa: BLE001 the last place that can word it
        if line := _line_of(error):
            return f"error: {line}"
        bug = f"{_first_line(error)}; this is a bug, its report is in {_report(error)}"
        print(f"error: {bug}", file=sys.stderr)
        return BUG
    return None


def _open_streams() -> None:
    """Give stdout and stderr to programs that were started without, and let them print any name."""
    if sys.stdout is None:  # to be written to in vain: a later file must not become the output
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _line_of(error: Exception) -> str:
    """The message for an operating system error; empty for other errors."""
    words = str(error)
    if isinstance(error, MemoryError) or any(text in words for text in _EXHAUSTED):
        return "memory: is exhausted; take smaller images or batches, or a smaller memory limit"
    if isinstance(error, RecursionError):
        return "input: is nested too deeply; simplify it"
    if isinstance(error, RuntimeError) and words.startswith(_LINK_LOOP):
        place = words.removeprefix(_LINK_LOOP).strip(" '")
        return f"{place}: is a link that leads back to itself; replace it"
    if isinstance(error, ValueError) and words == "embedded null byte":
        return "path: has a zero byte in its name; correct it"
    if isinstance(error, OSError) and error.strerror:
        place = os.fsdecode(error.filename) if error.filename is not None else "output"
        place = printable(shortened(place))
        remedy = "look at the path, its permissions and the space on its disk"
        return f"{place}: {error.strerror}; {remedy}"
    return ""


def _first_line(error: Exception) -> str:
    words = " ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
    return printable(shortened(words))


def _report(error: Exception) -> str:
    """Write what a developer needs to know; returns the file, or "no file" if none can be made."""
    folder = Path(".dvc/tmp") if Path(".dvc/tmp").is_dir() else Path(gettempdir())
    facts = [" ".join(sys.argv), f"Python {sys.version}", platform.platform()]
    content = "\n".join([*facts, "", *traceback.format_exception(error)])
    try:
        with NamedTemporaryFile(
            "wb", dir=folder, prefix="pomai-error-", suffix=".txt", delete=False
        ) as file:
            file.write(content.encode(errors="replace"))
    except OSError:
        return "no file: none can be written"
    return str(Path(file.name))
