"""Processes of workers: what ends with what."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fusion.core.code import ROOT
from pipelines.runner import live
from pipelines.runner.workers import LocalWorker, log_of

FOREVER = "import sys, time; open(sys.argv[1], 'w').write('x'); time.sleep(600)"


def appeared(path):
    until = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)


def gone(pid):
    until = time.monotonic() + 60
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_the_log_has_all_output_and_the_status_is_the_commands(tmp_path):
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    worker = LocalWorker([sys.executable, "-c", script], os.environ, tmp_path / "logs/a.log")
    assert worker.wait() == 3
    assert (tmp_path / "logs/a.log").read_text() == "out\nerr\n"


def test_what_a_command_leaves_behind_ends_with_it(tmp_path):
    mark = tmp_path / "began"
    script = (
        "import subprocess, sys, time, os\n"
        f"child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}, {str(mark)!r}])\n"
        f"while not os.path.exists({str(mark)!r}): time.sleep(0.02)\n"
        "print(child.pid)"
    )
    worker = LocalWorker([sys.executable, "-c", script], os.environ, tmp_path / "log")
    assert worker.wait() == 0
    assert gone(int((tmp_path / "log").read_text()))


def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    mark = tmp_path / "began"
    script = (
        "import os, sys; from pathlib import Path\n"
        "from pipelines.runner.workers import LocalWorker\n"
        f"command = [sys.executable, '-c', {FOREVER!r}, {str(mark)!r}]\n"
        f"worker = LocalWorker(command, os.environ, Path({str(tmp_path / 'log')!r}))\n"
        "print(worker._process.pid, flush=True)\nworker.wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    leader = int(parent.stdout.readline())
    appeared(mark)
    (command,) = psutil.Process(leader).children()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(leader)
    assert gone(command.pid)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one\ntwo\n\n", "two"),
        ("epoch 1\repoch 2\r", "epoch 2"),
        ("\x1b[31mred\x1b[0m\n", "red"),
        ("", ""),
        ("x" * 9000 + "\nlast", "last"),
    ],
)
def test_the_last_line_of_a_log(tmp_path, text, line):
    (tmp_path / "log").write_text(text)
    assert live.last_line(tmp_path / "log") == line


def test_a_log_is_one_file_whatever_the_stage_is_called():
    assert log_of("part/dvc.yaml:fuse@a-b") == Path(".dvc/tmp/pomai/part+dvc.yaml:fuse@a-b.log")
