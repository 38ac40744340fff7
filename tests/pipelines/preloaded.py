"""Stages of the pipeline in forks of a process that has loaded the packages of others.

Each stage is a process, and spends more time on importing torch than on the tests' few small
images. `Server` puts a `python` into a folder: where the folder is first on PATH, DVC's
`python -m pipelines.stages …` runs in such a fork, with the project's own code from the working
folder. Arithmetic is that of `runtime.reproducible`, as in the tests' profile.
"""

import atexit
import gc
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path

LAUNCHER = """#!/bin/sh
if [ "$1 $2" = "-m pipelines.stages" ]; then exec '{python}' -S '{this}' run '{address}' "$@"; fi
exec '{python}' "$@"
"""

BY_STAGES = ("matplotlib.figure", "torchmetrics", "torchvision", "jinja2", "timm", "pooch")


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

    def write_launcher(self, folder: Path) -> None:
        folder.mkdir()
        text = LAUNCHER.format(python=sys.executable, this=__file__, address=self.address)
        (folder / "python").write_text(text)
        (folder / "python").chmod(0o755)

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def serve(address: str) -> None:
    """Run what clients ask for, until standard input ends."""
    sys.path.insert(0, str(Path.cwd()))
    fixed = fix_arithmetic()
    others = import_module("tests.import_alone").OTHERS
    for package in (*others, *BY_STAGES):
        import_module(package)
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
    os.environ.update(asked["environment"] | fixed)
    os._exit(stage(asked["arguments"]))


def stage(arguments: list[str]) -> int:
    """Run `python -m pipelines.stages ARGUMENTS`; returns its exit status."""
    sys.argv = ["stages", *arguments]
    sys.path.insert(0, str(Path.cwd()))
    import_module("fusion.core.arithmetic").fix_arithmetic = lambda: None  # it is fixed
    status: object = None
    try:
        runpy.run_module("pipelines.stages", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code
    if isinstance(status, str):
        print(status, file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else int(status is not None)


def run(address: str, arguments: list[str]) -> int:
    """Ask the server to run a stage with this process's streams; returns its exit status."""
    asked = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        content = json.dumps(asked).encode()
        sent = socket.send_fds(connection, [content], [0, 1, 2])
        connection.sendall(content[sent:])
        connection.shutdown(socket.SHUT_WR)
        return abs(int(connection.recv(100)))


if __name__ == "__main__":
    kind, place, *rest = sys.argv[1:]
    sys.exit(serve(place) if kind == "serve" else run(place, rest[2:]))
