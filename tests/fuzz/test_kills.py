"""Commands and stages that are killed at random moments, then run again.

What they end with must be, byte for byte, what an undisturbed run gives. `--kills N` kills each of
them N times before it may finish; `--fuzz-seed` chooses other moments.
"""

import hashlib
import random
import shutil
import signal
import time

import pytest

from pipelines.compose import compose
from tests.fuzz.corpus import FUSE, LEARNED, YOLO_SET
from tests.fuzz.harness import Limits, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
SETTINGS = (
    "profile=tiny", "method=[average,pomai]", "runtime.reproducible=false",
    "runtime.checkpoint_seconds=0.0", "segmentation.epochs=3", "detection.epochs=2",
)  # fmt: skip
FIRST = (
    "generate", "prepare msrs", "prepare m3fd", "model average", "fuse average msrs",
    "fuse average m3fd",
)  # fmt: skip
WORK = {
    "fuse": (LEARNED, "out"),
    "fuse classical": (FUSE, "out"),
    "prepare": (YOLO_SET, "out"),
    "train": (["stage", "train", "pomai-stage_one"], "models/pomai-stage_one"),
    "segment": (["stage", "segment", "average", "msrs", "0"], "scores/segment-average-msrs-0"),
    "detect": (["stage", "detect", "average", "m3fd", "0"], "scores/detect-average-m3fd-0"),
}
"""Command, and the folder of its result."""

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENT = Limits(seconds=1200, cpu_seconds=1200)
EVERYWHERE = ("",)
"""Stages write into many folders: none is watched here."""


@pytest.fixture(scope="module")
def ready(server, valid, tmp_path_factory):
    """The corpus, and all that the last stages read."""
    folder = tmp_path_factory.mktemp("ready") / "inputs"
    shutil.copytree(valid, folder)
    compose(folder / "params.yaml", SETTINGS, folder / "conf")
    for stage in FIRST:
        outcome = run(server, ["stage", *stage.split()], folder, EVERYWHERE, PATIENT)
        assert outcome.code == 0, outcome.errors
    return folder


def content(folder):
    """SHA-256 of every file but the hidden ones, which are locks."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("name", WORK)
def test_what_is_killed_ends_as_what_was_not(server, ready, tmp_path, pytestconfig, name):
    command, result = WORK[name]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        shutil.copytree(ready, folder)
    started = time.monotonic()
    assert run(server, command, whole, EVERYWHERE, PATIENT).code == 0
    duration = time.monotonic() - started
    chance = random.Random(f"{pytestconfig.getoption('fuzz_seed')}-{name}")  # noqa: S311
    ends = {}
    for number in range(pytestconfig.getoption("kills")):
        sent = SIGNALS[number % len(SIGNALS)]
        moment = Limits(seconds=chance.uniform(0.02, 1) * duration, ends_by=sent)
        outcome = run(server, command, killed, EVERYWHERE, moment)
        ends[outcome.code] = ends.get(outcome.code, 0) + 1
    outcome = run(server, command, killed, EVERYWHERE, PATIENT)
    assert outcome.code == 0, outcome.errors
    print(f"{name}: {duration:.1f} s undisturbed; None is killed: {ends}")
    assert content(killed / result) == content(whole / result)
