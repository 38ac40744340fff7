from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fusion.core.errors import InputError
from fusion.core.published import BATCH_NORM, inside, rename, renamed_parts
from fusion.core.tensors import read_checkpoint

NAMES = renamed_parts({"theirs.0": "0"}, ["weight", "bias"]) | renamed_parts(
    {"theirs.1": "1"}, BATCH_NORM
)


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))


@pytest.fixture
def checkpoint():
    torch.manual_seed(1)
    other = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    return {f"theirs.{name}": value for name, value in other.state_dict().items()}


def test_renamed_weights_make_the_network_the_published_one(network, checkpoint):
    network.load_state_dict(rename(checkpoint, NAMES, network))
    for name, value in network.state_dict().items():
        assert torch.equal(value, checkpoint[f"theirs.{name}"])


def test_all_that_is_wrong_with_a_checkpoint_is_listed(network, checkpoint):
    del checkpoint["theirs.0.bias"]
    checkpoint["theirs.0.weight"] = torch.zeros(3, 2, 5, 5)
    checkpoint["head.weight"] = checkpoint["theirs.1.weight"]
    with pytest.raises(ValueError, match="not a checkpoint") as caught:
        rename(checkpoint, NAMES, network)
    for part in (
        "missing: theirs.0.bias",
        "unknown: head.weight",
        "of another shape: theirs.0.weight (3×2×5×5, not 3×2×3×3)",
    ):
        assert part in str(caught.value)


def test_every_wrong_entry_is_listed_however_many(network, checkpoint):
    surplus = [f"head.{number:03}.weight" for number in range(150)]
    checkpoint |= dict.fromkeys(surplus, torch.ones(1))
    with pytest.raises(ValueError, match="unknown") as caught:
        rename(checkpoint, NAMES, network)
    assert all(name in str(caught.value) for name in surplus)


def test_entries_that_act_on_nothing_are_left_out(network, checkpoint):
    checkpoint |= {"dead.bn.weight": torch.ones(3), "dead.bn.bias": torch.ones(3)}
    assert rename(checkpoint, NAMES, network, unused=r".*\.bn\..*").keys() == set(
        network.state_dict()
    )


def test_dimensions_of_one_element_do_not_count(network, checkpoint):
    checkpoint["theirs.0.bias"] = checkpoint["theirs.0.bias"].view(1, 3, 1)
    assert rename(checkpoint, NAMES, network)["0.bias"].shape == (3,)


def test_a_table_that_does_not_cover_the_network_is_a_mistake(network, checkpoint):
    with pytest.raises(KeyError, match=r"0\.bias"):
        rename(checkpoint, {k: v for k, v in NAMES.items() if v != "0.bias"}, network)


def test_wrapped_checkpoints_are_read_as_plain_ones(tmp_path, checkpoint):
    nested = {"net": OrderedDict((f"module.{k}", v) for k, v in checkpoint.items()), "epoch": 3}
    torch.save(nested, tmp_path / "nested.pth")
    torch.save(checkpoint, tmp_path / "plain.model")
    save_file(checkpoint, tmp_path / "plain.safetensors")
    for name in ("nested.pth", "plain.model", "plain.safetensors"):
        read = inside(read_checkpoint(tmp_path / name), "net.", "module.")
        assert read.keys() == checkpoint.keys()
        assert all(torch.equal(read[entry], checkpoint[entry]) for entry in read)


class Malicious:
    def __reduce__(self):
        return Path.touch, (Path("opened"),)


def test_a_pickled_object_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(InputError, match=r"bad\.pth: holds more than tensors.*state_dict"):
        read_checkpoint(tmp_path / "bad.pth")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("name", ["cut.pth", "text.pt", "text.safetensors", "none.pth"])
def test_damaged_and_missing_files_are_named(tmp_path, checkpoint, name):
    torch.save(checkpoint, tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "cut.pth").read_bytes()[:200])
    (tmp_path / "text.pt").write_text("not a checkpoint")
    (tmp_path / "text.safetensors").write_text("not a checkpoint")
    with pytest.raises(InputError, match=name):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("<!DOCTYPE html>\n<html><body>Sign in</body></html>", "<!DOCTYPE html>"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "version https://git-lfs"),
        ("\n\nnot a checkpoint", "''"),
    ],
)
def test_a_page_saved_as_a_checkpoint_is_not_called_dangerous(tmp_path, content, line):
    (tmp_path / "theirs.pth").write_text(content)
    with pytest.raises(
        InputError, match=r"theirs\.pth: is no checkpoint .*; download it"
    ) as caught:
        read_checkpoint(tmp_path / "theirs.pth")
    assert line in str(caught.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_damaged_and_endless_files_are_refused_in_words(tmp_path):
    """Torch's unpickler fails at them with errors of many classes."""
    path = tmp_path / "damaged.pth"
    torch.save({"weight": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    whole = bytearray(path.read_bytes())
    refused = 0
    for position in range(0, len(whole), 3):
        damaged = whole.copy()
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except InputError:
            refused += 1
    assert refused > len(whole) / 6
    endless: dict[str, object] = {}
    endless["inner"] = endless
    torch.save(endless, path)
    with pytest.raises(InputError, match="nested without end"):
        read_checkpoint(path)
