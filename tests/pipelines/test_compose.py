"""Everything that conf/ can compose is valid, and what it cannot compose is named."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from fusion import methods
from fusion.core.errors import InputError
from pipelines import params
from pipelines.compose import compose
from pipelines.strict_yaml import read_yaml

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
LEARNED = (
    *("pomai", "emma", "cddfuse", "mmaunet", "defusion", "lrrnet", "itfuse", "mmdrfuse", "umf"),
    *("seafusion", "tardal", "cddfuse_one_run"),
)


def options(group):
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


@pytest.fixture(autouse=True)
def data(monkeypatch):
    monkeypatch.setenv("FUSION_DATA", "/somewhere")


@pytest.mark.slow
@pytest.mark.parametrize("profile", options("profile"))
def test_every_profile_with_every_ablation_and_method_is_valid(profile):
    """An ablation changes PoMAI alone; the other methods are composed once a profile."""
    every = options("method")
    with initialize_config_dir(str(CONF), version_base=None):
        for ablation in options("ablation"):
            rows = every if ablation == "none" else ["average", "pomai"]
            overrides = [f"profile={profile}", f"ablation={ablation}", f"method=[{','.join(rows)}]"]
            composed = OmegaConf.to_container(hydra_compose("config", overrides), resolve=True)
            settings = params.Params.model_validate(composed)
            assert set(settings.methods) == set(rows)


def test_an_ablation_changes_pomai_alone():
    for ablation in options("ablation"):
        changed = yaml.safe_load((CONF / f"ablation/{ablation}.yaml").read_text()) or {}
        assert set(changed) <= {"methods", "training"}, ablation
        names = {*changed.get("methods", {}), *changed.get("training", {})}
        assert all(name.partition("-")[0] == "pomai" for name in names), ablation


def imported():
    """Methods of which only files of your own make a row: published weights, or an ONNX file."""
    yield "onnx"
    for name in methods.names():
        from_authors = (ROOT / methods.code_of(name) / "published.py").is_file()
        if from_authors and not methods.settings_of(name).phases:
            yield name


def test_every_method_has_its_block_and_every_learned_one_every_size():
    assert set(options("method")) >= set(methods.names()) - set(imported())
    sizes = set(options("size"))
    for name in options("method"):
        if (CONF / "method" / name).is_dir():
            assert set(options(f"method/{name}")) == sizes


@pytest.mark.parametrize("profile", ["sample", "tiny"])
@pytest.mark.parametrize("size", options("size"))
def test_the_generated_scenes_work_with_every_size(profile, size, tmp_path):
    rows = ",".join(("maximum", *LEARNED))
    chosen = [f"profile={profile}", f"size={size}", f"method=[{rows}]"]
    compose(tmp_path / "params.yaml", chosen, CONF)
    assert set(params.load(tmp_path / "params.yaml").methods) == {"maximum", *LEARNED}


def test_a_size_can_be_chosen_with_a_profile(tmp_path):
    compose(tmp_path / "params.yaml", ["profile=boxes", "size=tiny"], CONF)
    settings = params.load(tmp_path / "params.yaml")
    assert settings.detect_on == ["msrs_boxes"]
    assert settings.phase_settings("pomai-stage_one").epochs == 2


def updates(settings, pairs=388):
    """Per learned method, on as many pairs as profile gpu trains on."""
    total = {}
    for key, step in settings.training.items():
        schedule = settings.phase_settings(key)
        count = schedule.epochs * -(-pairs // schedule.batch_size)
        total[step.method] = total.get(step.method, 0) + count
    return total


def test_profile_gpu_gives_every_method_the_same_number_of_updates(tmp_path):
    rows = ",".join(("maximum", *LEARNED))
    compose(tmp_path / "params.yaml", ["profile=gpu", f"method=[{rows}]"], CONF)
    budget = updates(params.load(tmp_path / "params.yaml"))
    assert budget.keys() == set(LEARNED)
    assert all(abs(count - 6825) < 30 for count in budget.values()), budget


@pytest.fixture
def conf(tmp_path):
    shutil.copytree(CONF, tmp_path / "conf")
    return tmp_path / "conf"


MINE = """# @package _global_
defaults:
  - tiny
  - _self_
datasets:
  mine: {layout: pairs, source: /data/mine, fuse: [test]}
fuse_on: [mine]
detect_on: []
segment_on: []
"""


def test_a_profile_of_ones_own_is_one_file_of_differences(conf, tmp_path):
    (conf / "profile/mine.yaml").write_text(MINE)
    compose(tmp_path / "params.yaml", ["profile=mine"], conf)
    settings = params.load(tmp_path / "params.yaml")
    assert settings.fuse_on == ["mine"]
    assert settings.phase_settings("pomai-stage_one").epochs == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbf" + MINE.encode(), "mine.yaml: begins with a byte order mark"),
        (b"", "mine.yaml: has no line `# @package _global_`"),
        (b"seed: 1\n", "mine.yaml: has no line `# @package _global_`"),
        (MINE.encode("utf-16"), "mine.yaml: is not UTF-8; save it as UTF-8"),
        (b"# @package _global_\nseed:\n\t- 1\n", "mine.yaml: line 3: a tab"),
        (b"# @package _global_\nseed: [1\nfuse_on: x\n", "mine.yaml: line 3: is not valid YAML"),
        (b"# @package _global_\nseed: " + b"[" * 3000, "mine.yaml: is nested too deeply"),
        (b"# @package _global_\nseed: 1\nseed: 2\n", "mine.yaml: line 3: the key 'seed' is there"),
    ],
)
def test_a_file_of_conf_that_is_no_yaml_is_named_with_its_line(conf, tmp_path, content, message):
    (conf / "profile/mine.yaml").write_bytes(content)
    with pytest.raises(InputError, match="conf/profile/" + message):
        compose(tmp_path / "params.yaml", ["profile=mine"], conf)
    assert not (tmp_path / "params.yaml").exists()


@pytest.mark.parametrize(
    "defaults",
    ["3", "{a: b}", "[tiny, 1: x]", "[tiny, null: x]", "[tiny, {a: b, c: d}]", "[tiny, a: [1]]"],
)
def test_defaults_that_name_no_files_are_refused_by_the_files_name(conf, tmp_path, defaults):
    (conf / "profile/mine.yaml").write_text(f"# @package _global_\ndefaults: {defaults}\n")
    with pytest.raises(InputError, match=r"conf/profile/mine\.yaml: has `defaults` that name no"):
        compose(tmp_path / "params.yaml", ["profile=mine"], conf)


@pytest.mark.parametrize("content", ["3", "[1]"])
def test_a_file_of_conf_holds_a_mapping(conf, tmp_path, content):
    (conf / "profile/mine.yaml").write_text(f"# @package _global_\n{content}\n")
    with pytest.raises(InputError, match=r"conf/profile/mine\.yaml: holds no mapping"):
        compose(tmp_path / "params.yaml", ["profile=mine"], conf)


def test_keys_that_are_there_twice_are_refused_wherever_they_are(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n")
    with pytest.raises(InputError, match=r"params.yaml: line 5: the key 'c' is there twice"):
        read_yaml(path)
    path.write_text("a: &x {c: 1}\nb:\n  <<: *x\n  d: 2\ne: {<<: *x}\n")
    assert read_yaml(path) == yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0777", "line 1: the number 0777 has another value in YAML 1.1 than in YAML 1.2"),
        ("1:30", "line 1: the number 1:30 has another value"),
        ("1:30.5", "line 1: the number 1:30.5 has another value"),
        ("9" * 5000, "is not valid YAML: Exceeds the limit"),
        ("2020-13-45", "is not valid YAML: month must be"),
        ("!!bool maybe", "is not valid YAML"),
        ("!!float x", "is not valid YAML"),
        ("!!timestamp x", "is not valid YAML"),
    ],
)
def test_values_that_are_none_or_have_two_meanings_are_refused(tmp_path, value, message):
    (tmp_path / "params.yaml").write_text(f"seed: {value}\n")
    with pytest.raises(InputError, match=rf"params\.yaml: {message}"):
        read_yaml(tmp_path / "params.yaml")


def test_dvc_composes_the_same(tmp_path):
    """`dvc exp run -S` calls this function with these arguments."""
    from dvc.utils.hydra import compose_and_dump

    compose(tmp_path / "ours.yaml", ["profile=boxes", "ablation=no_two_stage"], CONF)
    overrides = ["profile=boxes", "ablation=no_two_stage"]
    theirs = tmp_path / "theirs.yaml"
    compose_and_dump(os.fspath(theirs), os.fspath(CONF), None, "config", "", overrides)
    assert (tmp_path / "ours.yaml").read_bytes() == theirs.read_bytes()
