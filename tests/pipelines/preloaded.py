"""Stages, `dvc` and `pomai` in forks of a process that has loaded the packages of others.

Each stage is a process, and DVC another one around it: they spend more time on importing torch and
DVC than on the tests' few small images. `Server` puts a `python`, a `dvc` and a `pomai` into a
folder: where the folder is first on PATH, `python -m pipelines.stages …` runs in such a fork, with
the project's own code from the working folder. `dvc` and `pomai` do as well, and take the folder's
`python` for the interpreter that runs them. Arithmetic is that of `runtime.reproducible`, as in the
tests' profile.
"""

import atexit
import gc
import json
import os
import pickle
import runpy
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

RUN = """exec '{python}' -S '{this}' run '{address}' '{folder}/python' """

PYTHON = """#!/bin/sh
case "$1 $2" in "-m pipelines.stages" | "-m dvc") shift; {run}"$@" ;; esac
exec '{python}' "$@"
"""

PROGRAM = """#!/bin/sh
{run}{program} "$@"
"""

BY_STAGES = ("matplotlib.figure", "torchmetrics", "torchvision", "jinja2", "timm", "pooch")
BY_DVC = ("dvc.cli.parser", "dvc.repo.reproduce", "dvc.repo.experiments.run", "dvc.api")


class Server:
    """A server for as long as the process that made it lives."""

    def __init__(self, root: Path) -> None:
        self.address = tempfile.mkdtemp() + "/socket"
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve", self.address],
            cwd=root,
            stdin=subprocess.PIPE,  # never written to: its end says that this process ended
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def write_launchers(self, folder: Path) -> None:
        """Write `python`, `dvc` and `pomai` into a new folder."""
        python = sys.executable
        run = RUN.format(python=python, this=__file__, address=self.address, folder=folder)
        texts = {"python": PYTHON.format(python=python, run=run)}
        for program in ("dvc", "pomai"):
            texts[program] = PROGRAM.format(run=run, program=program)
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def serve(address: str) -> None:
    """Run what clients ask for, until standard input ends."""
    sys.path.insert(0, str(Path.cwd()))
    fixed = fix_arithmetic()
    others = import_module("tests.import_alone").OTHERS
    for package in (*others, *BY_STAGES, *BY_DVC):
        import_module(package)
    remember_yaml()
    for name in [name for name in sys.modules if name.split(".")[0] in ("fusion", "tests")]:
        del sys.modules[name]  # a stage takes them from its own working folder
    sys.path.pop(0)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
            assert ready == [listener]
            connection = listener.accept()[0]
            if not os.fork():
                serve_one(connection, fixed)
                os._exit(0)
            connection.close()
            reap()
        os._exit(0)  # without the libraries' reports of what they leak


def reap() -> None:
    """Wait for the children that have ended."""
    with suppress(ChildProcessError):  # there are none
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def remember_yaml() -> None:
    """Let DVC parse a text once a process: it parses the same one up to forty times, in Python."""
    modules = [import_module(f"dvc.utils.{name}") for name in ("serialize._yaml", "strictyaml")]
    parse, known = modules[0].parse_yaml, {}

    def remembered(text: str, path: str, typ: str = "safe") -> object:
        if typ != "safe":  # with comments, to be changed
            return parse(text, path, typ)
        if text not in known:
            known[text] = pickle.dumps(parse(text, path))
        return pickle.loads(known[text])  # noqa: S301 a copy of our own

    for module in modules:
        module.parse_yaml = remembered  # type: ignore[attr-defined]


def fix_arithmetic() -> dict[str, str]:
    """Set the environment that the libraries read when they are loaded; returns what was set."""
    before = dict(os.environ)
    import_module("fusion.core.arithmetic").fix_arithmetic()
    return {name: value for name, value in os.environ.items() if before.get(name) != value}


def serve_one(connection: socket.socket, fixed: dict[str, str]) -> None:
    """Run one command in a child, and answer with its exit status."""
    message, streams, *_ = socket.recv_fds(connection, 2**20, 3)
    while part := connection.recv(2**20):
        message += part
    asked = json.loads(message)
    if child := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(str(status).encode())
        return
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.executable = asked["python"]
    program, *arguments = asked["arguments"]
    sys.argv = [program, *arguments]
    if program == "pipelines.stages":
        sys.path.insert(0, str(Path.cwd()))
        os.environ.update(fixed)
    os._exit(status_of(PROGRAMS[program]))


def stage() -> None:
    """As `python -m pipelines.stages`."""
    import_module("fusion.core.arithmetic").fix_arithmetic = lambda: None  # it is fixed
    runpy.run_module("pipelines.stages", run_name="__main__", alter_sys=True)


def dvc() -> None:
    """As `dvc`."""
    sys.exit(import_module("dvc.cli").main())


def pomai() -> None:
    """As `pomai`."""
    import_module("pipelines.cli").main()


PROGRAMS: dict[str, Callable[[], None]] = {"pipelines.stages": stage, "dvc": dvc, "pomai": pomai}


def status_of(program: Callable[[], None]) -> int:
    """Run a program to the end of its process; returns its exit status."""
    status: object = None
    try:
        program()
    except SystemExit as end:
        status = end.code
    if isinstance(status, str):
        print(status, file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else int(status is not None)


def run(address: str, python: str, arguments: list[str]) -> int:
    """Ask the server to run a program with this process's streams; returns its exit status.

    Args:
        python: the interpreter, as the program sees it.
        arguments: the program and its arguments.
    """
    folder, environment = os.getcwd(), dict(os.environ)  # noqa: PTH109
    asked = {
        "python": python,
        "arguments": arguments,
        "folder": folder,
        "environment": environment,
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        content = json.dumps(asked).encode()
        sent = socket.send_fds(connection, [content], [0, 1, 2])
        connection.sendall(content[sent:])
        connection.shutdown(socket.SHUT_WR)
        return abs(int(connection.recv(100)))


if __name__ == "__main__":
    kind, place, *rest = sys.argv[1:]
    sys.exit(serve(place) if kind == "serve" else run(place, rest[0], rest[1:]))
