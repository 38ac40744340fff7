import json
import os
import sys

import pytest
import torch
from safetensors.torch import load_file, save

from fusion.core.errors import InputError
from fusion.methods.average import Average
from fusion.methods.files import CARD, WEIGHTS, load_model, save_model
from fusion.methods.pomai.config import MICMConfig, NGMMConfig, PoMAIConfig
from fusion.methods.pomai.method import PoMAI

CONFIG = PoMAIConfig(
    channels=4, heads=2, blocks=1, ngmm=NGMMConfig(group_size=9), camn=None, micm=MICMConfig()
)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "model", "pomai", PoMAI(CONFIG), {"seed": 0})
    return tmp_path / "model"


def test_a_loaded_model_is_the_saved_one(folder):
    torch.manual_seed(0)
    saved, loaded = PoMAI(CONFIG).eval(), load_model(folder)
    assert loaded.config == CONFIG
    assert loaded.training is False
    images = torch.rand(1, 1, 20, 20), torch.rand(1, 3, 20, 20)
    assert torch.equal(saved(*images), loaded(*images))
    card = json.loads((folder / CARD).read_text())
    assert card["parameters"] == sum(p.numel() for p in saved.parameters())
    assert card["seed"] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_who_may_read_the_card_may_read_the_weights(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        save_model(tmp_path, "pomai", PoMAI(CONFIG), {})
    finally:
        os.umask(before)
    files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert files == {WEIGHTS: mode, CARD: mode}


def test_a_method_without_weights_is_its_card(tmp_path):
    save_model(tmp_path, "average", Average(Average.config_class()), {})
    assert isinstance(load_model(tmp_path), Average)
    assert not (tmp_path / WEIGHTS).exists()


def test_a_stem_shared_by_both_modalities_is_saved_and_stays_shared(tmp_path):
    shared = CONFIG.model_copy(update={"stem": "luminance"})
    saved = PoMAI(shared)
    save_model(tmp_path, "pomai", saved, {})
    loaded = load_model(tmp_path)
    assert torch.equal(loaded.visible_stem.weight, saved.visible_stem.weight)
    assert loaded.visible_stem is loaded.infrared_stem


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / CARD).unlink(), r"card\.json: is missing; train the method"),
        (lambda f: (f / CARD).write_bytes(b"\xff"), r"card\.json: cannot be read"),
        (
            lambda f: (f / WEIGHTS).unlink(),
            r"weights\.safetensors: is missing, but its card exists",
        ),
        (lambda f: (f / WEIGHTS).write_bytes(b"\x00" * 40), "cannot be read"),
        (lambda f: change(f, lambda value: value.long()), "has weights of type int64"),
        (lambda f: change(f, lambda value: value * float("nan")), "weights that are not finite"),
        (lambda f: edit(f, method="nothing"), "no fusion method is called 'nothing'"),
        (lambda f: edit(f, config={"channels": 8, "heads": 2}), "does not match its card"),
    ],
)
def test_damage_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(InputError, match=message):
        load_model(folder)


def change(folder, function):
    state = {name: function(value) for name, value in load_file(folder / WEIGHTS).items()}
    (folder / WEIGHTS).write_bytes(save(state))


def edit(folder, **changes):
    card = json.loads((folder / CARD).read_text()) | changes
    (folder / CARD).write_text(json.dumps(card))
