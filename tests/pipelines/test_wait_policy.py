"""Every program sets how OpenMP's threads wait before it loads torch, which reads it once."""

import os
import subprocess
import sys

import pytest

from fusion.core.code import ROOT

PROGRAM = """
import os, runpy, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("torch", os.environ.get("OMP_WAIT_POLICY"), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Finder())
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""

PROGRAMS = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for folder in ("fusion", "detection", "segmentation", "pipelines", "benchmarks", "scripts")
    for file in (ROOT / folder).rglob("*.py")
    if "__main__" in file.read_text() or file.name == "__main__.py"
)
ARGUMENTS = {
    "pipelines.cli": ["fuse", "--ir", "a", "--vi", "b", "--out", "c"],
    "pipelines.stages": ["train", "pomai-stage_one"],
}
LIGHT = {
    "benchmarks.page",
    "benchmarks.prepare",
    "benchmarks.rigs",
    "benchmarks.scaling",
    "benchmarks.shift_notes",
    "benchmarks.waiting",
    "pipelines.dependencies",
    "pipelines.runner.child",
    "scripts.agreement",
    "scripts.quality_time",
    "scripts.screenshots",
    "scripts.tables",
}
"""They never load torch."""


@pytest.mark.parametrize("policy", [None, pytest.param("ACTIVE", marks=pytest.mark.slow)])
@pytest.mark.parametrize("program", sorted({*PROGRAMS} - LIGHT))
def test_threads_wait_passively_unless_the_user_says_otherwise(program, policy):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if policy:
        environment["OMP_WAIT_POLICY"] = policy
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, program, *ARGUMENTS.get(program, [])],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == f"torch {policy or 'PASSIVE'}\n", done.stderr
