import math

import pytest
import torch
from lightning.fabric import Fabric

from fusion.training.meter import Meter, Reporter


@pytest.fixture
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def test_means_are_those_of_the_epoch(fabric):
    meter = Meter()
    for step, loss in enumerate((1.0, 2.0, 6.0, 5.0)):
        meter.add(step, {"loss": torch.tensor(loss)})
        if step != 1:
            meter.merge(fabric)
        if step == 2:
            meter.end_epoch(0.1)
    assert meter.history == [{"loss": 3.0, "learning_rate": 0.1}]
    assert meter.means() == {"loss": 5.0}


def test_an_epoch_may_have_other_scalars_than_the_one_before(fabric):
    meter = Meter()
    for step, names in enumerate((["loss", "mse", "ssim"], ["loss", "mse"])):
        meter.add(step, dict.fromkeys(names, torch.tensor(1.0)))
        meter.merge(fabric)
        assert meter.first_bad() is None
        meter.end_epoch(0.1)
    assert [set(means) for means in meter.history] == [
        {"loss", "mse", "ssim", "learning_rate"},
        {"loss", "mse", "learning_rate"},
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_first_bad_step_is_found_after_several(fabric, value):
    meter = Meter()
    for step in range(9):
        loss, norm = (value if step >= first else 1.0 for first in (5, 4))
        meter.add(step, {"loss": torch.tensor(loss), "norm": torch.tensor(norm)})
    meter.merge(fabric)
    assert meter.first_bad() == (4, ["norm"])


def test_without_a_terminal_progress_is_lines(capsys):
    with Reporter(first=10, total=30, visible=True, seconds=0.0) as reporter:
        reporter.update(20, epoch=2, loss=0.25)
        reporter.update(30, epoch=3, loss=0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("update 20 of 30: epoch 2, loss 0.25, ")
    assert lines[-1].endswith("0 s to go")
    with Reporter(first=0, total=1, visible=False, seconds=0.0) as reporter:
        reporter.update(1, epoch=1, loss=0.2)
    assert not capsys.readouterr().err
