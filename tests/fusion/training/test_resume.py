"""Training that is killed at any moment ends as training that never stopped."""

import itertools
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fusion.methods.pomai.phases import PoMAIPhase
from tests.fusion.training.test_loop import same, schedule, trained

MOMENTS = {
    "in a step": (PoMAIPhase, "forward"),
    "while writing a checkpoint": (os, "fsync"),
    "before a checkpoint gets its name": (Path, "rename"),
}


def train_and_die(folder, checkpoints, moment=None, calls=0):
    """Train; SIGKILL this process at the given call of what happens at that moment."""
    if moment:
        owner, name = MOMENTS[moment]
        original, counter = getattr(owner, name), itertools.count(1)

        def deadly(*args, **kwargs):
            if next(counter) == calls:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(owner, name, deadly)
    trained(folder, checkpoints, schedule(epochs=40))


def newest(checkpoints):
    return max(checkpoints.glob("*-step-*"), default=None)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_one_that_never_stopped(
    start_process, pair_folder, tmp_path
):
    folder, whole, killed = pair_folder(), tmp_path / "whole", tmp_path / "killed"
    generator = np.random.default_rng()
    reference = start_process(train_and_die, folder, whole)
    reference.join()
    assert reference.exitcode == 0

    for moment, most in zip(MOMENTS, (12, 60, 10), strict=True):
        calls = int(generator.integers(1, most))
        process = start_process(train_and_die, folder, killed, moment, calls)
        process.join()
        assert process.exitcode == -signal.SIGKILL, (moment, calls)
    process = start_process(train_and_die, folder, killed)
    already = newest(killed)
    while process.is_alive() and newest(killed) == already:
        time.sleep(0.001)
    time.sleep(generator.random() / 20)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process = start_process(train_and_die, folder, killed)
    process.join()
    assert process.exitcode == 0

    assert newest(whole).name == newest(killed).name
    weights = [load_file(newest(path) / "weights.safetensors") for path in (whole, killed)]
    assert same(*weights)
    states = [torch.load(newest(path) / "state.pt", weights_only=True) for path in (whole, killed)]
    assert states[0]["meter"]["history"] == states[1]["meter"]["history"]
    moments = [state["optimizer"]["state"] for state in states]
    assert all(same(moments[0][index], moments[1][index]) for index in moments[0])
