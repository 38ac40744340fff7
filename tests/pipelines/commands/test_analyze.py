"""`pomai analyze`, as a user runs it."""

import json
import sys

import cv2
import numpy as np
import pytest
import torch

from fusion.images.decode import write_image
from fusion.methods.files import save_model
from fusion.methods.pomai.config import PoMAIConfig
from fusion.methods.pomai.method import PoMAI
from pipelines import cli


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for kind, channels in (("ir", ()), ("vi", (3,))):
        (tmp_path / kind).mkdir()
        for index in range(5):
            image = random.integers(20 * index, 200, (20, 24, *channels), dtype=np.uint8)
            write_image(tmp_path / kind / f"{index}.png", image)
    torch.manual_seed(0)
    network = PoMAI(PoMAIConfig(channels=4, heads=2, blocks=1))
    save_model(tmp_path / "method", "pomai", network, {})
    return tmp_path


def run(monkeypatch, capsys, folder, *options):
    """(exit code, what it printed)."""
    arguments = [f"--ir={folder / 'ir'}", f"--vi={folder / 'vi'}", *options]
    monkeypatch.setattr(sys, "argv", ["pomai", "analyze", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capsys.readouterr()
    message = stop.value.code if isinstance(stop.value.code, str) else ""
    return stop.value.code, printed.out + printed.err + message


@pytest.mark.slow
@pytest.mark.parametrize("given", ["method", "method/weights.safetensors", "pomai-tiny"])
def test_numbers_and_pictures(monkeypatch, capsys, folder, given):
    weights = given if given == "pomai-tiny" else folder / given
    options = [f"--weights={weights}", "--cka-pairs=2"]
    contents = []
    for out in ("first", "second"):
        code, printed = run(monkeypatch, capsys, folder, f"--out={folder / out}", *options)
        assert code == 0, printed
        contents.append((folder / out / "analysis.json").read_bytes())
        for name in ("sparsity", "divergence", "cka"):
            picture = cv2.imread(str(folder / out / f"{name}.png"))
            assert len(np.unique(picture)) > 10, "something is drawn"
    assert contents[0] == contents[1]
    content = json.loads(contents[0])
    assert content["pairs"] == 5
    assert sum(group["pairs"] for group in content["divergence"]["clusters"]) == 5
    assert content["cka"]["samples"] == 2 * 256
    levels = 3 if given == "pomai-tiny" else 2
    assert np.shape(content["cka"]["values"]) == (levels, levels)
    assert f"{content['sparsity']['GCR']['infrared']:.3f}" in printed


def test_without_a_method_or_a_folder_it_only_prints(monkeypatch, capsys, folder):
    before = sorted(folder.rglob("*"))
    code, printed = run(monkeypatch, capsys, folder)
    assert code == 0
    assert "JS divergence, mean" in printed
    assert "CKA" not in printed
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (lambda f: (f / "vi/3.png").unlink(), (), "without a partner"),
        (lambda f: (f / "ir/1.png").write_bytes(b"no"), (), "1.png: is not a readable image"),
        (lambda _: None, ("--out=/nowhere/x",), "/nowhere: is not a folder; make it first"),
        (lambda _: None, ("--weights=/nowhere",), "/nowhere: is not a model"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(monkeypatch, capsys, folder, damage, options, message):
    damage(folder)
    code, _ = run(monkeypatch, capsys, folder, *options)
    assert message in str(code)
    assert "\n" not in code


def test_deep_infrared_takes_a_declared_range(monkeypatch, capsys, folder):
    cv2.imwrite(str(folder / "ir/1.png"), np.full((20, 24), 4095, np.uint16))
    code, printed = run(monkeypatch, capsys, folder)
    assert code == 0
    assert "note: infrared: dark, only 12 of 16 bits are used" in printed
    code, printed = run(monkeypatch, capsys, folder, "--ir-range", "0", "4095")
    assert code == 0
    assert "dark" not in printed
