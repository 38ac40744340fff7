import os
import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from fusion.core.errors import InputError
from fusion.inference.pretrained import RELEASED
from fusion.methods.emma.method import EMMA
from fusion.methods.files import read_card
from pipelines import params
from pipelines.compose import compose
from tests.fusion.toys import parameters

ROOT = Path(__file__).parents[2]
PROFILES = sorted(file.stem for file in (ROOT / "conf/profile").glob("*.yaml"))


@pytest.fixture
def composed(tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_DATA", "/somewhere")

    def make(*overrides):
        output = tmp_path / "params.yaml"
        output.write_text(composition(overrides, os.environ.get("FUSION_DATA")))
        return output

    return make


@cache
def composition(overrides, _):
    with TemporaryDirectory() as folder:
        compose(Path(folder) / "params.yaml", overrides, ROOT / "conf")
        return (Path(folder) / "params.yaml").read_text()


def test_the_committed_parameters_are_what_the_default_composes(composed):
    expected = composed("profile=sample", "ablation=none").read_text()
    assert (ROOT / "params.yaml").read_text() == expected


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_valid_as_it_is_written(composed, profile):
    """With each ablation and all methods: test_compose.py."""
    settings = params.load(composed(f"profile={profile}"))
    assert "pomai" in settings.methods


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_dvc_finds_every_parameter_that_its_stages_watch(composed, tmp_path, profile):
    """Those that have a default need not be in params.yaml, and DVC stops where it misses one."""
    composed(f"profile={profile}")
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    with Repo.init(tmp_path, no_scm=True) as repo:
        deps = [dep for stage in repo.index.stages for dep in stage.deps]
        watched = [dep for dep in deps if isinstance(dep, ParamsDependency)]
        assert len(watched) > 10
        for dependency in watched:
            assert set(dependency.params) == set(dependency.read_params()), dependency.stage


@pytest.mark.parametrize("profile", ["gpu", "pairs", "paper", "sample", "tiny"])  # one of each size
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


def test_pomai_release_trains_what_the_released_card_states(composed):
    settings = params.load(composed("profile=pairs", "method=[maximum,pomai_release]"))
    card = read_card(RELEASED / "pomai-tiny.safetensors")
    phases = [*card["before"], card]
    assert [f"pomai_release-{phase['phase']}" for phase in phases] == list(settings.training)
    for phase in phases:
        made = settings.phase_settings(f"pomai_release-{phase['phase']}").model_dump(mode="json")
        assert made | phase["settings"] == made
    config = settings.method_config("pomai_release").model_dump(mode="json")
    assert config | {"micm": card["config"]["micm"]} == card["config"]


def test_the_paper_profile_has_the_other_papers_numbers(composed):
    settings = params.load(
        composed("profile=paper", "method=[maximum,pomai,emma,cddfuse,cddfuse_one_run,mmaunet]")
    )
    schedules = {
        key: (s.epochs, s.batch_size, s.learning_rate, s.decay, s.decay_epochs, s.gradient_clip)
        for key in settings.training
        for s in [settings.phase_settings(key)]
    }
    assert schedules["emma-sensing"] == (40, 64, 1e-4, 0.5, 10, 0)
    assert schedules["emma-fusion"] == (120, 4, 1e-4, 0.5, 20, 0)
    assert schedules["cddfuse-reconstruction"] == (40, 8, 1e-4, 0.5, 20, 0.01)
    assert schedules["cddfuse-fusion"] == (80, 8, 1e-4, 0.5, 20, 0.01)
    assert schedules["cddfuse_one_run-one_run"] == (120, 8, 1e-4, 0.5, 20, 0.01)
    whole = settings.phase_settings("cddfuse_one_run-one_run")
    assert (whole.reconstruction_epochs, whole.lowest_learning_rate) == (40, 1e-6)
    epochs = [schedules[f"mmaunet-{phase}"][0] for phase in ("visible", "infrared", "fusion")]
    assert epochs == [400, 400, 100]


def test_the_paper_profile_has_emmas_numbers_of_parameters(composed):
    settings = params.load(composed("profile=paper", "method=[maximum,pomai,emma]"))
    phase = EMMA.start_phase(
        "sensing", settings.method_config("emma"), settings.phase_settings("emma-sensing"), None
    )
    assert parameters(phase.method.fuser) == 1_517_657
    networks = list(phase.method.sensing.children())
    assert [parameters(network) for network in networks] == [39_397_761, 39_397_761]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("sead",), 1, "sead: unknown key"),
        (("seed",), "one", r"seed: .*valid integer.*'one'"),
        (("methods", "pomai", "config", "heads"), 3, r"channels \(8\) must be a multiple of heads"),
        (("methods", "pomai", "config", "width"), 10, r"methods.pomai.config.width: unknown key"),
        (("training", "pomai-stage_one", "settings", "epochs"), -1, r"settings.epochs: .*-1"),
        (("training", "pomai-stage_one", "phase"), "one", "stage_one.phase: unknown key"),
        (("methods", "pomai", "phases"), [], "methods.pomai.phases: unknown key"),
        (("methods", "average", "sauce"), "x", "methods.average.sauce: unknown key"),
        (("methods", "average", "source"), "fusion/methods/x.py", "of fusion/methods/average.py"),
        (
            ("methods", "wavelet"),
            {"source": "fusion/methods/wavelet.py", "config": {"levels": 0}},
            "methods.wavelet.config.levels: ",
        ),
        (("methods", "emma"), {"source": "fusion/methods/emma"}, "'emma' is learned, and nothing"),
        (
            ("methods", "emma"),
            {"source": "models/emma-published"},
            "'models/emma-published' is not",
        ),
        (("methods",), {}, "methods: name at least one row"),
        (("seed",), 2**32, "seed: .*less than 4294967296"),
        (("runtime", "devices"), 1025, "runtime.devices: .*1024"),
        (("runtime", "memory_gib"), float("inf"), "runtime.memory_gib: .*finite"),
        (
            ("training", "pomai-stage_one", "settings", "learning_rate"),
            float("nan"),
            "rate: .*finite",
        ),
        (("training", "pomai-stage_one", "settings", "epochs"), 10**6 + 1, "epochs: .*1000000"),
        (("methods", "fancy"), {"source": "x"}, "'fancy' is not one of average, .*cddfuse, "),
        (("detect_on",), ["tno"], "detect_on: 'tno' is not one of msrs, m3fd"),
        (("evaluation", "metrics"), ["SDD"], "'SDD' is not one of"),
        (("evaluation", "metrics"), ["SD", "SD"], "metrics: 'SD' is there twice"),
        (("fuse_on",), ["msrs", "msrs", "m3fd"], "fuse_on: 'msrs' is there twice"),
        (("datasets", "msrs", "source"), "", "source: '' holds the repository itself"),
        (("datasets", "msrs", "source"), "/", "source: '/' holds the repository itself"),
        (("datasets", "msrs", "source"), "data/prepared/x", "is a folder that the pipeline writes"),
        (
            ("training", "pomai-stage_one", "after"),
            "models/pomai-stage_two",
            "models/pomai-stage_two waits for models/pomai-stage_one.*: a phase waits for itself",
        ),
    ],
)
def test_bad_parameters_are_refused_by_name(composed, tmp_path, path, value, message):
    broken = edited(composed(), tmp_path / "broken.yaml", {"/".join(path): value})
    with pytest.raises(InputError, match=message) as caught:
        params.load(broken)
    assert "broken.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detect_on": ["msrs"]}, "detect_on: 'msrs' has layout 'msrs' and needs m3fd or boxes"),
        ({"segment_on": ["m3fd"]}, "segment_on: 'm3fd' has layout 'm3fd' and needs msrs"),
        (
            {"datasets/m3fd/fuse": ["train", "test"]},
            r"datasets.m3fd.fuse: \[train, test\], but detect_on needs train, val, test",
        ),
        (
            {"datasets/msrs/fuse": ["test"]},
            r"datasets.msrs.fuse: \[test\], but segment_on needs train, test",
        ),
        (
            {"datasets/msrs/splits": {"test": "test"}},
            r"datasets.msrs.splits: \[test\], but segment_on needs train, test",
        ),
        (
            {"datasets/m3fd/fractions": [0.8, 0.0, 0.2]},
            r"m3fd.fractions: \[0.8, 0.0, 0.2\], but detect_on needs train, val, test: all above 0",
        ),
    ],
)
def test_tasks_that_a_set_cannot_serve_are_refused_before_anything_runs(
    composed, tmp_path, changes, message
):
    with pytest.raises(InputError, match=message):
        params.load(edited(composed(), tmp_path / "broken.yaml", changes))
    if "detect_on" not in changes and "segment_on" not in changes:
        unused = {**changes, "detect_on": [], "segment_on": []}
        params.load(edited(composed(), tmp_path / "unused.yaml", unused))


@pytest.mark.parametrize("key", ["detection/weights", "segmentation/encoder_weights"])
def test_weight_files_that_are_not_there_are_refused_before_anything_runs(composed, tmp_path, key):
    file = tmp_path / "start.pt"
    changes = {key: str(file)}
    with pytest.raises(InputError, match=rf"{key.replace('/', '.')}: .*start\.pt: does not exist"):
        params.load(edited(composed(), tmp_path / "broken.yaml", changes))
    unused = {**changes, "detect_on": [], "segment_on": []}
    params.load(edited(composed(), tmp_path / "unused.yaml", unused))
    file.write_text("no weights")
    with pytest.raises(InputError, match=rf"{key.replace('/', '.')}: .*: is not a \.pt file"):
        params.load(edited(composed(), tmp_path / "text.yaml", changes))
    file.write_bytes(b"PK\x03\x04")
    params.load(edited(composed(), tmp_path / "there.yaml", changes))


def edited(path, output, changes):
    """A copy of a params.yaml with other values, keys joined by slashes."""
    content = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split("/")
        block = content
        for name in parents:
            block = block[name]
        block[last] = value
    output.write_text(yaml.safe_dump(content, sort_keys=False))
    return output


TAUGHT = ("profile=tiny", "method=[average,maximum,pomai,emma]", "teachers=[average,pomai]")
SENSING = "training/emma-sensing"


def test_a_method_may_learn_from_several_rows(composed):
    settings = params.load(composed(*TAUGHT))
    assert settings.teachers == settings.phase_settings("emma-sensing").teachers
    assert settings.teachers == ["average", "pomai"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"teachers": ["average", "pomay"]},
            r"teachers: 'pomay' has no row, and emma learns from it; add it to method=\[…\], or "
            "name average, maximum, pomai",
        ),
        ({"teachers": ["emma", "average"]}, "teachers: 'emma' is not one of average, maximum, pom"),
        (
            {"methods/others": {"kind": "precomputed", "source": "x"}, "teachers": ["others"]},
            "'others' is not one of average, maximum, pomai",
        ),
        (
            {f"{SENSING}/settings/teachers": ["maximum"]},
            "training.emma-sensing.settings.teachers: 'maximum' is not one of average, pomai",
        ),
        ({f"{SENSING}/settings/teachers": []}, r"emma-sensing.settings.teachers: .*at least 1"),
        (
            {f"{SENSING}/after": "data/train"},
            "training.emma-sensing.after: 'data/train' is not one of data/teachers",
        ),
        (
            {f"{SENSING}/code": "fusion/methods/pomai"},
            "emma-sensing.code: 'fusion/methods/pomai' is not one of fusion/methods/emma",
        ),
        (
            {"training/emma-fusion/after": "models/emma-sense"},
            "emma-fusion.after: 'models/emma-sense' is not one of .*models/emma-sensing",
        ),
        (
            {"methods/emma/source": "models/emma"},
            "methods.emma.source: 'models/emma' is not one of .*models/emma-fusion",
        ),
    ],
)
def test_what_cannot_be_taught_or_ordered_is_refused_by_name(composed, tmp_path, changes, message):
    broken = edited(composed(*TAUGHT), tmp_path / "broken.yaml", changes)
    with pytest.raises(InputError, match=message):
        params.load(broken)


def test_a_teacher_that_is_taught_would_wait_for_itself(composed, tmp_path):
    """Two rows that learn from each other are refused, whichever is named first."""
    path = composed(*TAUGHT)
    training = yaml.safe_load(path.read_text())["training"]
    changes = {
        "methods/other": {"kind": "emma", "source": "models/other-fusion"},
        "training/other-sensing": training["emma-sensing"] | {"method": "other"},
        "training/other-fusion": training["emma-fusion"] | {"method": "other"},
        "teachers": ["average", "pomai", "other"],
    }
    with pytest.raises(InputError, match="teachers: 'other' is not one of average, maximum, pom"):
        params.load(edited(path, tmp_path / "circle.yaml", changes))
    changes["teachers"] = ["average", "pomai"]
    assert params.load(edited(path, tmp_path / "fine.yaml", changes)).kind("other") == "emma"


PRECOMPUTED = {"kind": "precomputed", "source": "/images/others"}


def test_a_precomputed_row_knows_where_its_images_lie(composed, tmp_path):
    row = PRECOMPUTED | {"config": {"folders": {"msrs": "MSRS/test"}}}
    changes = {"methods/whole": PRECOMPUTED, "methods/part": row, "detect_on": []}
    settings = params.load(edited(composed(), tmp_path / "rows.yaml", changes))
    assert settings.row("whole").folder("m3fd") == Path("/images/others/m3fd")
    assert settings.row("part").folder("msrs") == Path("/images/others/MSRS/test")
    assert settings.has_images("whole", "m3fd")
    assert not settings.has_images("part", "m3fd")
    assert settings.has_images("pomai", "m3fd")
    assert settings.precomputed() == ["whole", "part"]
    assert not {"whole", "part"} & set(settings.trivial())


def test_a_row_of_early_fusion_has_images_for_tasks_and_none_to_measure(composed, tmp_path):
    path = composed("method=[visible,early_fusion]")
    settings = params.load(path)
    assert settings.unfused() == ["early_fusion"]
    assert settings.detect_on
    assert not settings.has_images("early_fusion", "m3fd")
    changed = edited(path, tmp_path / "rows.yaml", {"methods/early_fusion/source": "x.py"})
    with pytest.raises(InputError, match=r"methods.early_fusion.source: 'x.py'.*stacked.py"):
        params.load(changed)


def test_a_row_is_what_its_source_says(composed, tmp_path):
    (tmp_path / "published").mkdir()
    changes = {
        "methods/given": PRECOMPUTED,
        "methods/shipped": {"kind": "pomai", "source": "fusion/weights/pomai-tiny.safetensors"},
        "methods/published": {"kind": "emma", "source": str(tmp_path / "published")},
        "methods/again": {"kind": "pomai", "source": "models/pomai-stage_one"},
    }
    settings = params.load(edited(composed(), tmp_path / "rows.yaml", changes))
    kinds = {name: type(row).__name__ for name, row in settings.methods.items()}
    assert kinds == {
        **dict.fromkeys(("visible", "infrared", "average", "maximum"), "Untrained"),
        "pomai": "Trained",
        "given": "Precomputed",
        "shipped": "Pretrained",
        "published": "Published",
        "again": "Published",
    }
    assert settings.row("shipped").code() == Path("fusion/methods/pomai")
    assert settings.row("given").code() is None


@pytest.mark.parametrize("place", ["datasets", "methods"])
@pytest.mark.parametrize("name", ["v1.0", "my set", "..", "a;echo hi"])
def test_names_that_a_shell_or_dvc_would_change_are_refused(composed, tmp_path, place, name):
    content = yaml.safe_load(composed().read_text())
    content[place][name] = next(iter(content[place].values()))
    (tmp_path / "named.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(InputError, match=rf"{place}: '{re.escape(name)}': a name has letters"):
        params.load(tmp_path / "named.yaml")


def test_a_number_that_is_text_to_yaml_is_explained(composed, tmp_path):
    text = (
        composed()
        .read_text()
        .replace("learning_rate: 0.002\n      decay: ", "learning_rate: 1e-3\n      decay: ")
    )
    (tmp_path / "typed.yaml").write_text(text)
    with pytest.raises(
        InputError, match=r"learning_rate: .*'1e-3': text to YAML 1.1, write 1.0e-3"
    ):
        params.load(tmp_path / "typed.yaml")


def test_a_key_that_is_there_twice_is_refused(composed, tmp_path):
    (tmp_path / "twice.yaml").write_text(composed().read_text() + "seed: 1\n")
    with pytest.raises(InputError, match=r"twice.yaml: line \d+: the key 'seed' is there twice"):
        params.load(tmp_path / "twice.yaml")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda settings: settings.row("pomia"), "no row of methods 'pomia'; it has average, inf"),
        (lambda settings: settings.dataset("nope"), "no data set 'nope'; it has m3fd, msrs"),
        (
            lambda settings: settings.step("pomai-stage1"),
            "no training phase 'pomai-stage1'; it has",
        ),
        (lambda settings: settings.has_images("pomai", "nope"), "no data set 'nope'"),
    ],
)
def test_what_params_yaml_does_not_have_is_asked_for_in_vain(composed, ask, message):
    with pytest.raises(InputError, match=message):
        ask(params.load(composed()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods/others": {"kind": "precomputed"}}, "methods.others.source: Field required"),
        (
            {"methods/others": PRECOMPUTED | {"config": {"folder": "x"}}},
            "methods.others.config.folder: unknown key",
        ),
        (
            {"methods/others": PRECOMPUTED | {"config": {"folders": {"tno": "x"}}}},
            "methods.others.config.folders: 'tno' is not one of msrs, m3fd",
        ),
        (
            {"methods/others": PRECOMPUTED | {"config": {"folders": {"m3fd": "x"}}}},
            "methods.others.config.folders: lacks 'msrs', which detect_on or segment_on names",
        ),
        (
            {"methods/pomai": PRECOMPUTED},
            "training.pomai-stage_one.method: 'pomai' is not one of visible, infrared, average",
        ),
    ],
)
def test_precomputed_rows_that_cannot_be_are_refused_by_name(composed, tmp_path, changes, message):
    broken = edited(composed(), tmp_path / "broken.yaml", changes)
    with pytest.raises(InputError, match=message):
        params.load(broken)


def test_missing_parameters_are_a_clear_word(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.yaml.*is missing"):
        params.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("content", [b"", b"# seed: 0", b"seed", b"- seed"])
def test_no_parameters_are_a_clear_word(tmp_path, content):
    (tmp_path / "empty.yaml").write_bytes(content)
    with pytest.raises(
        InputError, match=r"empty.yaml: is not a YAML mapping; regenerate it with `pomai params`"
    ):
        params.load(tmp_path / "empty.yaml")


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


def test_a_released_row_needs_no_training(composed):
    settings = params.load(composed("method=[average,pomai_tiny]"))
    assert settings.training == {}
    assert settings.trivial() == ["average"]


def test_settings_of_weights_trained_before_are_refused(composed):
    override = "+methods.pomai_tiny.config.channels=8"
    with pytest.raises(InputError, match=r"methods.pomai_tiny.config: nothing trains 'pomai_tiny'"):
        params.load(composed("method=[average,pomai_tiny]", override))


AVERAGE = "{kind: average, source: fusion/methods/average.py}"
PAIRS = "{layout: pairs, source: data/sample/MSRS}"


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (
            (f"+methods.a={AVERAGE}", f"+methods.a-b={AVERAGE}", f"+datasets.b-c={PAIRS}",
             f"+datasets.c={PAIRS}", "fuse_on=[msrs,m3fd,b-c,c]"),
            "'a on b-c' and 'a-b on c' would share the folder a-b-c: rename one",
        ),
        ((f"+methods.Average={AVERAGE}",), "'average' and 'Average' would share the folder"),
        ((f"+datasets.MSRS={PAIRS}",), "'msrs' and 'MSRS' would share the folder MSRS"),
        ((f"+methods.pomai-stage_one={AVERAGE}",), "pomai-stage_one: is the name of a training"),
        (("datasets.msrs.source=../MSRS",), "datasets.msrs.source: '../MSRS' is outside"),
        (("datasets.msrs.source=data/../../MSRS",), "give the absolute path"),
        (("+methods.x={kind: precomputed, source: ../x}",), "methods.x.source: '../x' is outside"),
        (("detection.weights=../x.pt",), "detection.weights: '../x.pt' is outside"),
    ],
)  # fmt: skip
def test_names_that_share_a_folder_and_paths_that_leave_are_refused(composed, overrides, reason):
    with pytest.raises(InputError, match=re.escape(reason)):
        params.load(composed("profile=tiny", *overrides))


def test_the_papers_data_lie_where_the_environment_says(composed):
    sources = {
        name: s.source for name, s in params.load(composed("profile=paper")).datasets.items()
    }
    assert sources["msrs"] == "/somewhere/MSRS"
    assert {Path(source).parts[:2] for source in sources.values()} == {("/", "somewhere")}
