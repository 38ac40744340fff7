"""The profiles of official data: composed, validated, and prepared on tiny stand-ins."""

import os
from functools import cache

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from pipelines import params
from pipelines.datasets.prepare import prepare
from pipelines.download.registry import known_sets, sets_of
from pipelines.download.verify import find_root, shortages
from tests.pipelines import standins
from tests.pipelines.clones import ROOT

SPLITS = {
    "paper": {
        "msrs": {"train": 4, "test": 2},
        "m3fd": {"train": 10, "val": 1, "test": 1},
        "m3fd_fusion": {"test": 100},
        "tno": {"test": 20},
        "roadscene": {"test": 70},
        "harvard_ct": {"test": 16},
        "harvard_pet": {"test": 17},
        "harvard_spect": {"test": 17},
    },
    "llvip": {"llvip": {"train": 5, "val": 1, "test": 3}},
    "flir_aligned": {"flir_aligned": {"train": 5, "val": 1, "test": 3}},
    "mfnet": {"mfnet": {"train": 4, "val": 2, "test": 2}},
    "fmb": {"fmb": {"train": 4, "test": 2}},
    "medical": {
        "harvard_ct": {"test": 3},
        "harvard_pet": {"test": 4},
        "harvard_spect": {"test": 5},
    },
}


def composed(profile):
    return composition(profile, os.environ.get("FUSION_DATA"))


@cache
def composition(profile, _):
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        content = hydra_compose("config", [f"profile={profile}"])
    return params.Params.model_validate(OmegaConf.to_container(content, resolve=True))


@pytest.mark.parametrize("profile", SPLITS)
def test_a_profile_prepares_its_official_data(profile, tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_DATA", str(tmp_path / "raw"))
    standins.make(profile, tmp_path / "raw")
    settings = composed(profile)
    assert set(settings.datasets) == {"msrs", *SPLITS[profile]}
    for name, expected in SPLITS[profile].items():
        report = prepare(
            name,
            settings.datasets[name],
            tmp_path / "prepared" / name,
            tmp_path / "train" / name,
            train_fusion=name in settings.train_on,
        )
        assert report.splits == expected
        needed = {"train", "val", "test"} if name in settings.detect_on else set()
        needed |= {"train", "test"} if name in settings.segment_on else set()
        assert needed <= set(settings.datasets[name].fuse) & set(report.splits)


PART = {"source", "fuse", "sample", "sample_seed", "split", "fractions", "seed", "license"}


@pytest.mark.parametrize("name", [n for n, known in known_sets().items() if known.dataset])
def test_profile_and_registry_describe_a_set_alike(name, monkeypatch):
    monkeypatch.delenv("FUSION_DATA", raising=False)
    known = known_sets()[name]
    config = composed(known.profiles[0]).datasets[name]
    block = config.model_dump(exclude=PART, exclude_unset=True)
    assert block == known.dataset
    assert config.source == f"data/raw/{known.folder}"


@pytest.mark.parametrize("profile", SPLITS)
def test_a_profile_reads_the_sets_that_name_it_and_states_their_terms(profile):
    datasets = composed(profile).datasets
    assert datasets.keys() == sets_of(profile).keys()
    assert {n: d.license for n, d in datasets.items()} == {
        name: known.terms for name, known in sets_of(profile).items()
    }


@pytest.mark.parametrize("profile", SPLITS)
def test_stand_ins_have_the_official_folders(profile, tmp_path):
    standins.make(profile, tmp_path)
    for known in sets_of(profile).values():
        folder = tmp_path / known.folder
        assert find_root(known, folder) == folder
        assert all(lacking.found for lacking in shortages(known, folder))
