"""The border of all commands, each run as a process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fusion.core.code import ROOT
from fusion.core.errors import InputError
from pipelines.compose import compose
from pipelines.entry import run_stage

BEGIN = "import sys, errno\nfrom pipelines.entry import guard\n"


@pytest.fixture
def ends(tmp_path):
    """Runs the body of a program under the border; returns exit status, stdout and stderr."""

    def run(body, **options):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        script = f"{BEGIN}def program():\n{lines}guard(program)\n"
        (tmp_path / "program.py").write_text(script, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        done = subprocess.run(
            [sys.executable, "program.py"], cwd=tmp_path, env=environment, check=False, **options
        )
        texts = (None if text is None else text.decode() for text in (done.stdout, done.stderr))
        return done.returncode, *texts

    return run


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "from fusion.core.errors import InputError\n"
            "raise InputError('a.png', 'is [/b] empty', 'draw')",
            "error: a.png: is [/b] empty; draw\n",
        ),
        (
            "from fusion.core.errors import InputError\n"
            "raise InputError('a\\x1b[31m.png', 'x' * 10**6, 'draw')",
            "error: a\\x1b[31m.png: xxx",
        ),
        ("open('a\\x1b[0m')", "error: a\\x1b[0m: No such file"),
        ("open('missing/file')", "error: missing/file: No such file or directory; look at"),
        ("raise OSError(errno.ENOSPC, 'No space left')", "error: output: No space left; look at"),
        ("raise MemoryError", "error: memory: is exhausted; take smaller images"),
        (
            "raise RuntimeError('x: can\\'t allocate memory: 9 bytes')",
            "error: memory: is exhausted",
        ),
        ("sys.exit('error: said so')", "error: said so\n"),
    ],
)
def test_what_the_user_can_mend_ends_in_one_line(ends, body, message):
    status, _, problem = ends(body)
    assert status == 1
    assert problem.startswith(message)
    assert problem.count("\n") == 1
    assert len(problem) < 1000
    assert problem[:-1].isprintable()


@pytest.mark.parametrize("folder", [".dvc/tmp", "elsewhere"])
def test_a_bug_ends_in_one_line_that_names_its_report(ends, tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True)
    status, _, problem = ends("{}['[/b] é']", env={"TMPDIR": str(tmp_path / "elsewhere")})
    assert status == 70
    assert problem.count("\n") == 1
    assert problem.startswith("error: KeyError '[/b] é'; this is a bug, its report is in ")
    report = tmp_path / problem.split(" is in ")[1].strip()
    assert report.parent == tmp_path / folder
    assert "Traceback" in report.read_text()
    assert "program.py" in report.read_text()


@pytest.mark.parametrize(
    "body",
    ["sys.exit(0)", "print('done')", "sys.exit(3)"],
)
def test_other_ends_are_as_they_were(ends, body):
    status, _, problem = ends(body)
    assert (status, problem) == (3 if "3" in body else 0, "")


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}])
def test_any_name_can_be_printed(ends, environment):
    body = "print('\\udce9 → é.png')\nsys.exit('error: → \\udce9')"
    status, shown, problem = ends(body, env={"PYTHONUTF8": "0", **environment})
    assert status == 1
    assert shown.endswith(".png\n")
    assert problem.startswith("error: ")
    assert "Traceback" not in problem


def test_a_closed_pipe_ends_quietly(ends):
    reading, writing = os.pipe()
    os.close(reading)
    assert ends("print('lost')", stdout=writing) == (1, None, "")
    os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no device that is always full")
@pytest.mark.parametrize("count", [1, 100_000])
def test_a_full_output_ends_in_one_line(ends, count):
    with Path("/dev/full").open("w") as full:
        status, _, problem = ends(f"for i in range({count}): print('lost')", stdout=full)
    assert status == 1
    assert problem.startswith("error: output: No space left on device; look at")
    assert problem.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="has no such file descriptors")
@pytest.mark.parametrize(("body", "expected"), [("print('lost')", 1), ("pass", 0)])
def test_without_an_output_nothing_is_lost_unseen(ends, body, expected):
    assert ends(body, preexec_fn=lambda: os.close(1))[0] == expected
    assert ends("sys.exit('error: x')", preexec_fn=lambda: os.close(2)) == (1, "", "")


PHASES = "has no training phase 'pomai-stage1'; it has pomai-"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("prepare nope", "has no data set 'nope'; it has m3fd, msrs"),
        ("fuse pomia msrs", "has no row of methods 'pomia'; it has average, "),
        ("train pomai-stage1", PHASES),
        ("model nope", "has no row of methods 'nope'"),
        ("detect pomai nope 0", "has no data set 'nope'; it has m3fd, msrs"),
    ],
)
def test_a_stage_says_which_names_there_are(command, message, tmp_path, monkeypatch):
    settings = ["profile=tiny", "method=[average,pomai]", "runtime.reproducible=false"]
    compose(tmp_path / "params.yaml", settings, ROOT / "conf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["stages", *command.split()])
    with pytest.raises(InputError, match=re.escape(f"params.yaml: {message}")):
        run_stage()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("evalute", "stage 'evalute': does not exist; choose from generate, prepare, "),
        ("train pomai-stage1", f"params.yaml: {PHASES}"),
    ],
)
def test_its_process_ends_in_that_line(command, message):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.stages", *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
