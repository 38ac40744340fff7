from pathlib import Path

import pytest
import yaml

from fusion.images import InputError
from pipelines import params
from pipelines.compose import compose

ROOT = Path(__file__).parents[2]
PROFILES = sorted(file.stem for file in (ROOT / "conf/profile").glob("*.yaml"))
ABLATIONS = sorted(file.stem for file in (ROOT / "conf/ablation").glob("*.yaml"))


@pytest.fixture
def composed(tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_DATA", "/somewhere")

    def make(*overrides):
        output = tmp_path / "params.yaml"
        compose(output, overrides, ROOT / "conf")
        return output

    return make


def test_the_committed_parameters_are_what_the_default_composes(composed):
    expected = composed("profile=sample", "ablation=none").read_text()
    assert (ROOT / "params.yaml").read_text() == expected


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("ablation", ABLATIONS)
def test_every_profile_and_ablation_is_valid(composed, profile, ablation):
    settings = params.load(composed(f"profile={profile}", f"ablation={ablation}"))
    assert "pomai" in settings.methods


@pytest.mark.parametrize("profile", PROFILES)
def test_one_stage_training_is_as_long_as_both_stages(composed, profile):
    two = params.load(composed(f"profile={profile}"))
    one = params.load(composed(f"profile={profile}", "ablation=no_two_stage"))
    stages = ("pomai-stage_one", "pomai-stage_two")
    assert one.phase_settings(stages[0]).epochs == 0
    assert one.phase_settings(stages[1]).epochs == sum(two.phase_settings(s).epochs for s in stages)
    assert one.phase_settings(stages[1]).freeze is False


def test_the_paper_profile_has_the_papers_numbers(composed):
    settings = params.load(composed("profile=paper"))
    network = settings.method_config("pomai")
    assert (network.channels, network.heads, network.blocks) == (64, 8, 4)
    loss = network.loss
    assert (loss.ssim, loss.mse, loss.intensity, loss.gradient) == (5, 1, 1, 10)
    one, two = (settings.phase_settings(f"pomai-stage_{n}") for n in ("one", "two"))
    assert (one.epochs, two.epochs) == (80, 20)
    for stage in (one, two):
        assert (stage.batch_size, stage.crop, stage.learning_rate) == (16, 128, 1e-4)
        assert (stage.decay, stage.decay_epochs) == (0.5, 20)
    assert settings.fusion.stretch is True
    assert settings.detection.epochs == 100
    assert settings.segmentation.epochs == 300


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("sead",), 1, "sead: unknown key"),
        (("seed",), "one", r"seed: .*valid integer.*'one'"),
        (("methods", "pomai", "config", "heads"), 3, r"channels \(8\) must be a multiple of heads"),
        (("methods", "pomai", "config", "width"), 10, r"methods.pomai.config.width: unknown key"),
        (("training", "pomai-stage_one", "settings", "epochs"), -1, r"settings.epochs: .*-1"),
        (("training", "pomai-stage_one", "phase"), "three", "'three' is not one of stage_one, sta"),
        (("methods", "fancy"), {"source": "x"}, "'fancy' is not one of average, "),
        (("detect_on",), ["tno"], "detect_on: 'tno' is not one of msrs, m3fd"),
        (("evaluation", "metrics"), ["SDD"], "'SDD' is not one of"),
    ],
)
def test_bad_parameters_are_refused_by_name(composed, tmp_path, path, value, message):
    content = yaml.safe_load(composed().read_text())
    block = content
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=message) as caught:
        params.load(broken)
    assert "broken.yaml" in str(caught.value)


def test_missing_parameters_are_a_clear_word(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.yaml.*is missing"):
        params.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("override", ["method=[nosuch]", "profile=nosuch", "nosuch.key=1", "a=[b"])
def test_an_override_that_names_nothing_is_refused_in_one_line(composed, override):
    with pytest.raises(InputError, match="cannot be composed") as refused:
        composed(override)
    assert override in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_environment_variable_is_named(composed, monkeypatch):
    monkeypatch.delenv("FUSION_DATA", raising=False)
    with pytest.raises(InputError, match="FUSION_DATA"):
        composed("profile=pairs")


def test_a_row_in_the_box_needs_no_training(composed):
    settings = params.load(composed("method=[average,pomai_tiny]"))
    assert settings.training == {}
    assert settings.trivial() == ["average"]


def test_settings_of_weights_trained_before_are_refused(composed):
    override = "+methods.pomai_tiny.config.channels=8"
    with pytest.raises(InputError, match=r"methods.pomai_tiny.config: nothing trains 'pomai_tiny'"):
        params.load(composed("method=[average,pomai_tiny]", override))
