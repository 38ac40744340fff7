"""The presets of Table 2, composed as the pipeline does: what each really changes."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from fusion.methods.base import Batch
from fusion.methods.pomai.method import PoMAI
from pipelines import params
from pipelines.compose import compose

CONF = Path(__file__).parents[3] / "conf"
STAGES = ("pomai-stage_one", "pomai-stage_two")
SHARED = {"infrared_stem", "visible_stem", "encoder", "decoder"}


class Stage(NamedTuple):
    """Weights at the start and after one update (none where the stage has no epochs)."""

    before: dict
    after: dict

    @property
    def modules(self):
        return {name.split(".")[0] for name in self.after}

    def changed(self):
        """Modules of which a weight is no longer what it was."""
        names = (n for n, value in self.after.items() if not torch.equal(value, self.before[n]))
        return {name.split(".")[0] for name in names}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("params")

    def make(preset):
        compose(folder / preset, ("profile=tiny", "method=[pomai]", f"ablation={preset}"), CONF)
        return params.load(folder / preset)

    return make


@pytest.fixture(scope="module")
def run(settings):
    """A function that runs both stages of a preset, one update each; (network, stages)."""

    def make(preset):
        chosen = settings(preset)
        torch.manual_seed(0)
        network, stages = None, []
        for key in STAGES:
            schedule, config = chosen.phase_settings(key), chosen.method_config("pomai")
            phase = PoMAI.start_phase(chosen.training[key].phase, config, schedule, network)
            before = copy(phase.method)
            if schedule.epochs:
                update(phase)
            network = phase.method
            stages.append(Stage(before, copy(network)))
        return network.eval(), stages

    return make


def copy(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def images(batch=2):
    return Batch(torch.rand(batch, 1, 16, 16), torch.rand(batch, 3, 16, 16))


def update(phase):
    adam = torch.optim.Adam([p for p in phase.parameters() if p.requires_grad], lr=0.01)
    phase(images())["loss"].backward()
    adam.step()


def decoder_input(network, batch):
    """What the decoder sees: (infrared half, visible half)."""
    seen = []
    handle = network.decoder.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    network(*batch[:2])
    handle.remove()
    return seen[0].chunk(2, dim=1)


def encoded(network, batch):
    infrared = network.encoder(network.infrared_stem(batch.infrared))
    return infrared, network.encoder(network.visible_stem(batch.visible))


def leaves(content, where=""):
    if not isinstance(content, dict):
        return {where: content}
    parts = (leaves(value, f"{where}.{key}").items() for key, value in content.items())
    return {key: value for part in parts for key, value in part}


def test_the_full_method_trains_all_but_micm_then_micm_alone(run):
    _, (one, two) = run("none")
    assert one.modules == one.changed() == SHARED | {"ngmm", "camn"}
    assert two.modules == SHARED | {"ngmm", "camn", "micm"}
    assert two.changed() == {"micm"}


@pytest.mark.parametrize(("preset", "module"), [("no_ngmm", "ngmm"), ("no_camn", "camn")])
def test_without_a_branch_module_the_encoder_passes_through(run, preset, module):
    network, (one, two) = run(preset)
    other = {"ngmm", "camn"} - {module}
    assert one.modules == one.changed() == SHARED | other
    assert two.modules == SHARED | other | {"micm"}
    batch = images()
    with torch.no_grad():
        infrared, visible = encoded(network, batch)
        gate = network.micm(infrared, visible)
        halves = decoder_input(network, batch)
    expected = (2 - gate) * infrared if module == "ngmm" else (1 + gate) * visible
    seen = halves[0] if module == "ngmm" else halves[1]
    torch.testing.assert_close(seen, expected, atol=1e-5, rtol=1e-4)


def test_without_micm_the_network_is_stage_ones_bit_by_bit(run):
    network, (one, two) = run("no_micm")
    assert network.micm is None
    assert two.after.keys() == one.after.keys()
    assert all(torch.equal(two.after[name], value) for name, value in one.after.items())


def test_in_one_stage_micm_and_all_else_train_from_the_first_update(run):
    _, (one, two) = run("no_two_stage")
    assert one.changed() == set(), "stage one has no updates"
    assert two.changed() == SHARED | {"ngmm", "camn", "micm"}
    assert all(torch.equal(two.before[name], value) for name, value in one.before.items())


def test_without_freezing_stage_two_trains_on_stage_ones_weights(run):
    _, (one, two) = run("no_freeze")
    assert one.changed() == SHARED | {"ngmm", "camn"}
    assert all(torch.equal(two.before[name], value) for name, value in one.after.items())
    assert two.changed() == SHARED | {"ngmm", "camn", "micm"}


@pytest.mark.parametrize(
    ("preset", "keys"),
    [
        ("none", set()),
        ("no_ngmm", {"methods.pomai.config.ngmm"}),
        ("no_camn", {"methods.pomai.config.camn"}),
        ("no_micm", {f"training.{STAGES[1]}.settings.{key}" for key in ("micm", "epochs")}),
        (
            "no_two_stage",
            {f"training.{STAGES[0]}.settings.epochs"}
            | {f"training.{STAGES[1]}.settings.{key}" for key in ("epochs", "freeze")},
        ),
        ("no_freeze", {f"training.{STAGES[1]}.settings.freeze"}),
    ],
)
def test_a_preset_changes_nothing_else(settings, preset, keys):
    full, ablated = (leaves(settings(name).model_dump()) for name in ("none", preset))
    differing = {
        key.lstrip(".") for key in full.keys() | ablated.keys() if full.get(key) != ablated.get(key)
    }
    assert {next((k for k in keys if key.startswith(k)), key) for key in differing} == keys
