"""A small DVC project: `start`, then `train@a` to `train@d` side by side, then `end`."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fusion.core.code import ROOT

BIN = Path(sys.executable).parent

STAGE = """
import os, sys, time
from pathlib import Path
name, *inputs = sys.argv[1:]
began = time.time()
if Path(f"fail-{name}").exists():
    sys.exit(3)
while Path(f"hang-{name}").exists():
    Path(f"began-{name}").touch()
    time.sleep(0.05)
time.sleep(float(os.environ.get("STAGE_SECONDS", 0)))
text = "".join(Path(file).read_text() for file in inputs)
Path(f"{name}.txt").write_text(f"{name}({text})")
with open("runs.log", "a") as log:
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES") or "none"
    log.write(f"{name} {began} {time.time()} {gpus}\\n")
"""

PIPELINE = """
stages:
  start:
    cmd: python stage.py start params.yaml
    deps: [stage.py]
    params: [value]
    outs: [start.txt]
  train:
    foreach: [a, b, c, d]
    do:
      cmd: python stage.py ${item} start.txt
      deps: [start.txt]
      outs: ["${item}.txt"]
  end:
    cmd: python stage.py end a.txt b.txt c.txt d.txt
    deps: [a.txt, b.txt, c.txt, d.txt]
    metrics:
      - end.txt: {cache: false}
"""

IGNORED = ("/runs.log", "/fail-*", "/hang-*", "/began-*", "/start.txt", "/[a-d].txt")


class Project:
    """The project's folder and what tests do with it."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {
            **{k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"},
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DVC_NO_ANALYTICS": "1",
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@example.org",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@example.org",
        }

    def __truediv__(self, name):
        return self.folder / name

    def start(self, *command, **variables):
        """Start a command; its output goes to a pipe."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # a shell starts what it runs in the background with Ctrl-C ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *command, code=0, **variables):
        """Run a command; returns what it prints."""
        process = self.start(*command, **variables)
        printed, _ = process.communicate()
        assert process.returncode == code, printed
        return printed

    def ran(self):
        """Lines of facts of the stages that ran: name, began, ended, GPUs."""
        file = self / "runs.log"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def wait_for(self, name, seconds=120):
        """Wait until a file exists."""
        until = time.monotonic() + seconds
        while not (self / name).exists():
            assert time.monotonic() < until, f"{name} did not appear"
            time.sleep(0.05)

    def processes(self):
        """Processes that work in the folder."""
        found = []
        for process in psutil.process_iter(["cwd", "status"]):
            info = process.info
            if info["cwd"] == str(self.folder) and info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def holders(self):
        """Processes that hold DVC's locks, or held them and have not been waited for by init."""
        numbers = re.findall(r'"pid": (\d+)', (self / ".dvc/tmp/rwlock").read_text())
        return [number for number in map(int, numbers) if psutil.pid_exists(number)]

    def is_free(self):
        """Whether nothing holds DVC's locks."""
        text = (self / ".dvc/tmp/rwlock").read_text()
        return "pid" not in text

    def end(self):
        """Kill what a failed test left."""
        for process in self.processes():
            process.send_signal(signal.SIGKILL)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template") / "project"
    folder.mkdir()
    (folder / "conf").mkdir()
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[hydra]\n    enabled = true\n")
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    for name in ("params.yaml", "conf/config.yaml"):
        (folder / name).write_text("value: 1\n")
    (folder / "stage.py").write_text(STAGE)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / ".gitignore").write_text("\n".join(IGNORED) + "\n")
    project = Project(folder)
    project.run("git", "init", "-q")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "start")
    return folder


@pytest.fixture
def project(template, tmp_path):
    """A fresh copy of the project."""
    shutil.copytree(template, tmp_path / "project", symlinks=True)
    made = Project(tmp_path / "project")
    yield made
    made.end()


@pytest.fixture(scope="session")
def serial(template, tmp_path_factory):
    """dvc.lock as plain `dvc repro` writes it."""
    folder = tmp_path_factory.mktemp("serial") / "project"
    shutil.copytree(template, folder, symlinks=True)
    Project(folder).run("dvc", "repro", "-q")
    return (folder / "dvc.lock").read_bytes()
