"""Commands as processes whose output takes ASCII only: every name is printed, or its place is."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fusion.core.code import ROOT

pytestmark = pytest.mark.slow
NAME = "é[b]–:x:"
ASCII = {"PYTHONIOENCODING": "ascii"}
PLAIN_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
PAIRS = ["--ir", "ir", "--vi", "vi"]


@pytest.fixture
def folder(tmp_path):
    for place, shape in (("ir", (24, 32)), ("vi", (24, 32, 3))):
        (tmp_path / place).mkdir()
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / place / f"{NAME}.png")
    (tmp_path / "bad/ir").mkdir(parents=True)
    (tmp_path / f"bad/ir/{NAME}.png").write_bytes(b"no image")
    shutil.copytree(tmp_path / "vi", tmp_path / "bad/vi")
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("module", "command", "environment", "status", "printed"),
    [
        ("pipelines.cli", ["fuse", *PAIRS, "--out", "é"], ASCII, 0, "1 fused into ?"),
        ("pipelines.cli", ["evaluate", *PAIRS, "--fused", "vi"], PLAIN_C, 0, "1 images, protocol"),
        ("pipelines.cli", ["prepare", "é", "--layout", "pairs", "--source", "bad"], ASCII, 1, ""),
        ("pipelines.stages", ["prepare", NAME], PLAIN_C, 1, ""),
    ],
)
def test_any_name_can_be_printed(folder, module, command, environment, status, printed):
    done = subprocess.run(
        [sys.executable, "-m", module, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        check=False,
    )
    shown, problem = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert done.returncode == status, problem
    assert printed in shown
    assert "Traceback" not in problem
    assert problem.startswith("error: ") == bool(status), problem
