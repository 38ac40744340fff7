"""Rows of weights that were trained before."""

import json
from pathlib import Path

import pytest
import yaml

from fusion.core import code
from fusion.core.code import code_digest
from fusion.core.errors import InputError
from fusion.inference.pretrained import RELEASED
from fusion.methods.files import read_card
from pipelines.compose import compose
from pipelines.stages import model

ROOT = Path(__file__).parents[3]


@pytest.fixture
def row(tmp_path, monkeypatch):
    """Composes a row `mine` of released PoMAI weights; settings can be changed."""

    def make(**changes):
        path = tmp_path / "params.yaml"
        compose(path, ["profile=tiny", "method=[average]"], ROOT / "conf")
        content = yaml.safe_load(path.read_text())
        source = str(RELEASED / "pomai-tiny.safetensors")
        content["methods"]["mine"] = {"kind": "pomai", "source": source} | changes
        path.write_text(yaml.safe_dump(content))

    monkeypatch.chdir(tmp_path)
    return make


@pytest.mark.slow
def test_released_weights_are_taken_as_they_are(row, tmp_path):
    row()
    model.main("mine")
    copied = (tmp_path / "models/mine/weights.safetensors").read_bytes()
    assert copied == (RELEASED / "pomai-tiny.safetensors").read_bytes()
    card = json.loads((RELEASED / "pomai-tiny.json").read_bytes())
    network = code_digest(Path("fusion/methods/pomai"))
    assert read_card(tmp_path / "models/mine") == {**card, "network_code": network}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mine", "average"])
def test_the_card_changes_with_the_code_that_fuses(row, tmp_path, monkeypatch, name):
    """Or fusing would not run again."""
    row()
    cards = []
    for digest in ({}.get, str):  # of every file: None, then its path
        monkeypatch.setattr(code, "file_digest", digest)
        model.main(name)
        cards.append((tmp_path / "models" / name / "card.json").read_bytes())
    assert cards[0] != cards[1]


def test_weights_of_another_method_are_refused(row):
    row(kind="cddfuse")
    with pytest.raises(
        InputError, match=r"pomai-tiny.safetensors: has weights of pomai, not of cddfuse"
    ):
        model.main("mine")


def test_a_precomputed_rows_card_changes_with_its_images_and_its_folders(row, tmp_path):
    """Or fusing would not run again."""
    image = tmp_path / "theirs/a/0.png"
    image.parent.mkdir(parents=True)
    cards = set()
    for content, msrs in ((b"x", "a"), (b"y", "a"), (b"y", "b")):
        image.write_bytes(content)
        row(
            kind="precomputed",
            source=str(tmp_path / "theirs"),
            config={"folders": {"msrs": msrs, "m3fd": "a"}},
        )
        model.main("mine")
        cards.add((tmp_path / "models/mine/card.json").read_bytes())
    assert len(cards) == 3
