"""Every method that can be trained learns one batch by heart, phase by phase."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from fusion import methods
from fusion.images.color import luminance
from fusion.methods.files import load_model, save_model
from tests.fusion.toys import SCHEDULE, smooth_batch, train_briefly

ELSEWHERE = {"defusion"}
"""DeFusion hides other pixels in every update; its own test file holds them still."""


@dataclass(frozen=True)
class Case:
    """A tiny network, and what is left of a phase's loss after 20 updates (default: 0.6)."""

    config: dict[str, Any]
    left: dict[str, float] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)


CASES = {
    "pomai": Case(
        {"channels": 8, "heads": 2, "blocks": 1, "ngmm": {"group_size": 20}},
        left={"stage_two": 0.95, "tuning": 0.95},
        settings={"tuning": {"crop": 48}},
    ),
    "emma": Case(
        {"widths": [4, 4, 8, 8], "heads": 2},
        left={"fusion": 0.9},
        settings={"sensing": {"teachers": ["one", "other"], "network": {"width": 4}}},
        rates={"fusion": 1e-3},
    ),
    "cddfuse": Case(
        {"channels": 8, "heads": 2, "blocks": 1, "nodes": 1},
        left={"fusion": 0.8},
        settings={"one_run": {"reconstruction_epochs": 0}},
    ),
    "mmaunet": Case({"width": 8, "reduction": 1}),
    "lrrnet": Case({"channels": 8, "steps": 2}),
    "itfuse": Case({"channels": 8, "levels": 2, "blocks": 1}),
    "mmdrfuse": Case({"teacher_width": 8}),
    "umf": Case({"channels": 8, "layers": 2}),
    "seafusion": Case({"width": 4}),
    "tardal": Case({"width": 8, "depth": 2}),
}


def taught_batch(side):
    batch = smooth_batch(side)
    average = (batch.infrared + luminance(batch.visible)) / 2
    return batch._replace(fused=torch.cat([average, average.square()], dim=1))


def test_no_method_is_left_out():
    trained = {name for name in methods.names() if methods.settings_of(name).phases}
    assert {*CASES, *ELSEWHERE} == trained


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_every_phase_overfits_one_batch_and_leaves_a_model(kind, tmp_path):
    case, method, previous = CASES[kind], methods.get(kind), None
    for name, settings_class in method.phases.items():
        settings = settings_class(**(SCHEDULE | case.settings.get(name, {})))
        torch.manual_seed(0)
        phase = method.start_phase(name, method.config_class(**case.config), settings, previous)
        batch = taught_batch(settings.crop)
        losses = train_briefly(phase, 20, case.rates.get(name, 0.01), batch)
        assert losses[-1] < case.left.get(name, 0.6) * losses[0], name
        save_model(tmp_path / name, kind, phase.method, {})
        previous = load_model(tmp_path / name)
        with torch.no_grad():
            fused = previous(batch.infrared, batch.visible)
        assert 0 <= fused.min() < fused.max() <= 1, name
