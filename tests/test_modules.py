"""The packages as a graph of modules: no cycles, arrows in one direction, each loads alone."""

import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from fusion.core.code import PACKAGES, ROOT, imports_of, inside_root

FILES = sorted(inside_root(f) for name in PACKAGES for f in (ROOT / name).rglob("*.py"))

ROOMS = {
    "fusion/core": (),
    "fusion/images": ("fusion/core",),
    "fusion/blocks": ("fusion/core", "fusion/images"),
    "fusion/metrics": ("fusion/core", "fusion/images"),
    "fusion/methods": ("fusion/core", "fusion/images", "fusion/blocks"),
    "fusion/training": ("fusion/core", "fusion/images", "fusion/blocks", "fusion/methods"),
    "fusion/inference": ("fusion/core", "fusion/images", "fusion/blocks", "fusion/methods"),
    "fusion/alignment": ("fusion/core", "fusion/images"),
    "fusion/analysis": ("fusion/core", "fusion/images", "fusion/methods"),
    "fusion": ("fusion/inference",),
    "detection": ("fusion",),
    "segmentation": ("fusion",),
    "pipelines/datasets": ("fusion", "detection", "segmentation"),
    "pipelines": ("fusion", "detection", "segmentation", "pipelines/datasets"),
    "pipelines/runner": ("fusion", "pipelines"),
    "pipelines/report": ("fusion", "detection", "segmentation", "pipelines"),
    "pipelines/stages": ("fusion", "detection", "segmentation", "pipelines"),
    "pipelines/commands": ("fusion", "detection", "segmentation", "pipelines"),
    "pipelines/cli.py": ("fusion", "pipelines"),
}
"""Room -> what it may import besides itself, with all below; `fusion` is its face alone."""


def room_of(file):
    return next(room for room in sorted(ROOMS, reverse=True) if file.is_relative_to(room))


def module_of(file):
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_imports_go_around_in_a_circle():
    """Imports inside functions count: they only put the error off."""
    graph = {file: imports_of(file) for file in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(map(module_of, reversed(error.args[1]))))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_those_it_stands_on(room):
    wrong = [
        f"{file} imports {needed}"
        for file in FILES
        if room_of(file) == room
        for needed in imports_of(file)
        if room_of(needed) != room
        and not any(needed.is_relative_to(other) for other in ROOMS[room])
    ]
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def outcomes():
    """Module -> what came of a process whose first import of the project it was."""
    if not hasattr(os, "fork"):
        pytest.skip("has no fork, and an interpreter for each module takes minutes")
    script = Path(__file__).with_name("import_alone.py")
    command = [sys.executable, script, *map(module_of, FILES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("module", list(map(module_of, FILES)))
def test_every_module_can_be_imported_first(outcomes, module):
    assert outcomes[module] == "fine"
