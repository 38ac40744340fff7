"""The `pomai` command starts without what only its commands need."""

import subprocess
import sys

import pytest

from fusion.core.code import ROOT
from pipelines.cli import app

HEAVY = {"torch", "numpy", "pandas", "cv2", "ultralytics", "lightning", "dvc", "hydra"}
# pydantic is not among them: Typer itself takes it to read options
HEAVY |= {"rich", "matplotlib", "segmentation_models_pytorch", "yaml"}
PROGRAM = """
import sys
from pipelines.cli import main
sys.argv = {argv}
try:
    main()
finally:
    print(*sorted({heavy} & sys.modules.keys()), file=sys.stderr)
"""
HELP = """
import sys
from pipelines.cli import main
for command in {commands}:
    sys.argv = ["pomai", *[command] * bool(command), "--help"]
    try:
        main()
    except SystemExit:
        print(end=chr(0))
    print(*sorted({heavy} & sys.modules.keys()), end=chr(0))
"""
COMMANDS = sorted(c.name or c.callback.__name__ for c in app.registered_commands if c.callback)


def start(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": "", "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def started(*arguments, **environment):
    """What a start prints, and which heavy packages it imports."""
    done = start(PROGRAM.format(argv=["pomai", *arguments], heavy=HEAVY), **environment)
    return done.stdout, done.stderr.split()


@pytest.fixture(scope="module")
def helped():
    """Command -> what its `--help` prints, and which heavy packages are imported by then."""
    commands = ["", *COMMANDS]
    printed = start(HELP.format(commands=commands, heavy=HEAVY)).stdout.split(chr(0))
    return dict(zip(commands, zip(printed[::2], printed[1::2], strict=False), strict=True))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_nothing_heavy(helped, command):
    shown, imported = helped[command]
    assert f"Usage: pomai {command}".rstrip() in shown
    assert imported.split() == []


@pytest.mark.parametrize(
    ("typed", "offered"), [("pomai e", "evaluate"), ("pomai fuse --st", "--stretch")]
)
def test_completion_imports_nothing_heavy(typed, offered):
    count = str(typed.count(" "))
    shown, imported = started(_POMAI_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=count)
    assert offered in shown.split()
    assert imported == []
