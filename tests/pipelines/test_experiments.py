"""The real `dvc exp run` and `pomai ablate` in a temporary clone, on the tiny profile."""

import shutil

import pandas as pd
import pytest

from fusion.methods.files import WEIGHTS
from tests.pipelines.clones import (
    FUSION_ONLY,
    PROFILE,
    experiment,
    lock,
    metrics,
    modified,
    ran,
    reproduce,
    restore,
    run,
    table,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # stages import slow libraries


def test_an_ablation_reruns_only_what_it_changes(project):
    before = metrics(project)
    output = experiment(project, "ablation=no_micm", "fuse_on=[msrs]", *FUSION_ONLY)
    stages = ran(output)
    assert "train@pomai-stage_two" in stages
    assert "Stage 'train@pomai-stage_one' didn't change, skipping" in output
    assert not any("average" in stage for stage in stages)
    after = metrics(project)
    assert after["average"]["msrs"].items() <= before["average"]["msrs"].items()
    assert after["pomai"]["msrs"]["SD"] != before["pomai"]["msrs"]["SD"]
    restore(project)


def test_another_seed_gives_another_network_the_same_seed_the_same(project):
    """In a fresh process, and in one that started from loaded packages, as all others here."""
    weights, locked = project / f"models/pomai-stage_one/{WEIGHTS}", lock(project)
    before = weights.read_bytes()
    experiment(project, "seed=1", target=["train@pomai-stage_one"])
    assert weights.read_bytes() != before
    restore(project)
    assert weights.read_bytes() == before
    shutil.rmtree(project / "runs")  # or a finished run would not be redone
    command = ("dvc", "repro", "--force", "--single-item", "train@pomai-stage_one")
    run(project, *command, fresh=True)
    now = lock(project)
    made, again = (
        [out for out in state.pop("train@pomai-stage_one")["outs"] if out["path"][:6] != "costs/"]
        for state in (locked, now)
    )
    assert {out["path"].split("/")[0] for out in made} == {"models", "plots"}
    assert again == made, "same seed, other weights or curves"
    assert now == locked
    restore(project)  # the time of training is another


def test_an_ablation_completes_and_is_compared(project):
    """One of them; how several are run and resumed is tested on stages that take no time."""
    chosen = (*PROFILE, "fuse_on=[msrs]", *FUSION_ONLY)
    settings = [item for value in chosen for item in ("--set", value)]
    command = ("pomai", "ablate", "--presets", "no_freeze", "--seeds", "0", *settings)
    rows = cells_of(run(project, *command))
    assert rows.keys() == {"no_freeze"}
    assert float(rows["no_freeze"][0]) != round(metrics(project)["pomai"]["msrs"]["SD"], 3)
    assert cells_of(run(project, *command, "--table-only")) == rows


TOY = '''
"""One convolution over both images, learning their maximum."""

import torch
from torch import nn

from fusion.images.color import luminance
from fusion.methods.base import FusionMethod, PhaseConfig, TrainingPhase, register


@register("toy")
class Toy(FusionMethod):
    phases = {"only": PhaseConfig}

    def __init__(self, config):
        super().__init__(config)
        self.mix = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, infrared, visible):
        return self.mix(torch.cat((infrared, luminance(visible)), dim=1)).sigmoid()

    @classmethod
    def start_phase(cls, name, config, settings, previous):
        return ToyTraining(cls(config))


class ToyTraining(TrainingPhase):
    def __init__(self, method):
        super().__init__()
        self.method = method

    def forward(self, batch):
        wanted = torch.maximum(batch.infrared, luminance(batch.visible))
        return {"loss": (self.method(batch.infrared, batch.visible) - wanted).abs().mean()}
'''


TOY_PARAMETERS = """
# @package _global_
methods:
  toy:
    source: models/toy-only
training:
  toy-only:
    method: toy
    code: fusion/methods/toy.py
    after: data/train
    settings: {epochs: 2, batch_size: 4, crop: 32, learning_rate: 0.01}
"""


def test_a_method_is_one_file_and_its_block_of_parameters(project):
    before, locked = table(project), lock(project)
    models = modified(project, "models/pomai-*")
    (project / "fusion/methods/toy.py").write_text(TOY.lstrip())
    (project / "conf/method/toy.yaml").write_text(TOY_PARAMETERS.lstrip())
    output = reproduce(project, "method=[average,pomai,toy]", "fuse_on=[msrs]", *FUSION_ONLY)
    stages = {"train@toy-only", "model@toy", "fuse@toy-msrs", "evaluate@toy-msrs", "report", "page"}
    cards = {"model@average", "model@pomai"}  # look whether their method's code is among the new
    assert ran(output) == stages | cards, "the toy's own stages, nothing of the others"
    assert "Stage 'train@pomai-stage_one' didn't change, skipping" in output
    after = table(project)
    assert list(after.index) == ["average", "pomai", "toy"]
    assert after.loc["toy"].notna().all()
    pd.testing.assert_frame_equal(after.loc[before.index], before[after.columns])
    now = lock(project)
    others = [name for name in locked if name.split("@")[0] in {"train", "fuse", "evaluate"}]
    assert len(others) == 10
    assert {name: now[name] for name in others} == {name: locked[name] for name in others}
    assert {name: now[name]["outs"] for name in cards} == {
        name: locked[name]["outs"] for name in cards
    }
    assert modified(project, "models/pomai-*") == models
    restore(project)


def cells_of(printed):
    lines = (line.split("│") for line in printed.splitlines())
    return {cells[1].strip(): cells[2:] for cells in lines if len(cells) > 2}
