"""Runs a command in a process of its own, with a limit of time and memory, and says how it ended.

Processes fork from a server in which the slow libraries are loaded, so a run takes a fraction of a
second. Whatever the command does, the folder it works in must look as before but for its output.
"""

import ctypes
import io
import multiprocessing
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 120.0
CPU_SECONDS = 30
EXTRA_MEMORY = 4 << 30


@dataclass(frozen=True)
class Limits:
    """What a process may use.

    seconds: after which it is stopped; a busy machine makes every run longer.
    cpu_seconds: of computing, after which it ends with a signal.
    file_bytes: of the largest file it can write, as on a full disk; None is no limit.
    plain_user: whether root's right to read and write everything is given up.
    encoding: of its standard streams.
    environment: additions to it.
    ends_by: what is sent to it when the time is over.
    """

    seconds: float = SECONDS
    cpu_seconds: int = CPU_SECONDS
    file_bytes: int | None = None
    plain_user: bool = False
    encoding: str = "utf-8"
    environment: Mapping[str, str] = field(default_factory=dict)
    ends_by: signal.Signals = signal.SIGKILL


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    code: exit status; negative for a signal, None if it was stopped for taking too long.
    printed, errors: what it wrote to its standard streams.
    touched: files outside its output that are not as before.
    """

    code: int | None
    printed: str
    errors: str
    touched: tuple[str, ...]

    def fault(self, lines: int = 12) -> str | None:
        """What is wrong with this end: None if it worked, or failed with clear messages."""
        if self.code is None:
            return "was stopped: it still ran"
        if self.touched:
            return f"touched {', '.join(self.touched)}"
        if "Traceback (most recent call last)" in self.errors + self.printed:
            return "ended in a traceback"
        if self.code not in (0, 1, 2):
            return f"ended with code {self.code}"
        said = [line for line in self.errors.splitlines() if line.strip()]
        if self.code == 1 and not any(line.startswith("error: ") for line in said):
            return "failed without an error message"
        if self.code == 2 and not any("rror" in line for line in said):
            return "refused without an error message"
        if self.code and len(said) > lines:
            return f"said {len(said)} lines"
        return None


def start_server() -> multiprocessing.context.ForkServerContext:
    """The context whose processes start with the slow libraries loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fuzz.loaded"])
    return context


def run(
    context: multiprocessing.context.ForkServerContext,
    arguments: list[str],
    folder: Path,
    outputs: tuple[str, ...] | None = None,
    limits: Limits = Limits(),
) -> Outcome:
    """Run `pomai ARGUMENTS` in `folder`; only what begins with a name in `outputs` may change.

    Arguments that begin with `stage` run a stage, as `python -m pipelines.stages` does. The outputs
    are `out` of a command, and those of the stage `fuse`, unless they are given.
    """
    if outputs is None:
        outputs = ("fused", "costs") if arguments[0] == "stage" else ("out",)
    before = _state(folder, outputs)
    streams = folder.parent / f"{folder.name}-printed", folder.parent / f"{folder.name}-errors"
    for path in streams:
        path.touch()  # a process may be killed before it opens them
    process = context.Process(target=_call, args=(arguments, folder, *streams, limits))
    process.start()
    process.join(limits.seconds)
    code = process.exitcode
    if code is None:
        os.kill(process.pid or 0, limits.ends_by)
        process.join(SECONDS)
        process.kill()
        process.join()
    printed, errors = (path.read_bytes().decode(errors="replace") for path in streams)
    for path in streams:
        path.unlink()
    after = _state(folder, outputs)
    touched = {name for name, _ in before.items() ^ after.items()}
    return Outcome(code, printed, errors, tuple(sorted(touched)))


def _call(arguments: list[str], folder: Path, printed: Path, errors: Path, limits: Limits) -> None:
    os.setsid()
    for number, path in ((1, printed), (2, errors)):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
    encoding: Any = {"encoding": limits.encoding, "line_buffering": True}
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), **encoding)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), **encoding)
    os.chdir(folder)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + EXTRA_MEMORY, used + EXTRA_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 5))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python itself does where it starts
    if limits.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
        sys.dont_write_bytecode = True  # a truncated file beside a library's code would stay
    os.environ.update(limits.environment)
    if limits.plain_user and os.geteuid() == 0:
        _drop_capabilities()
    sys.argv = ["pomai", *arguments]
    sys.exit(_status())


def _drop_capabilities() -> None:
    """From now on permissions count for root too: it owns its files, but no more than that."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")


def _program() -> Callable[[], object]:
    from pipelines import cli
    from pipelines.entry import guard, run_stage

    if sys.argv[1:2] == ["stage"]:
        del sys.argv[1]
        return lambda: guard(run_stage)
    return cli.main


def _status() -> int:
    try:
        _program()()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        return stop.code or 0
    except BaseException:  # noqa: BLE001 - whatever gets here is the finding
        traceback.print_exc()
        return 99
    return 0


def _state(folder: Path, outputs: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Size and time of everything in a folder that is not output."""
    found = {}
    for root, folders, files in os.walk(folder):
        here = Path(root).relative_to(folder)
        folders[:] = [name for name in folders if not str(here / name).startswith(outputs)]
        for name in [*folders, *files]:
            if not str(here / name).startswith(outputs):
                status = (Path(root) / name).lstat()
                size = 0 if name in folders else status.st_size
                found[str(here / name)] = (size, 0 if name in folders else status.st_mtime_ns)
    return found
