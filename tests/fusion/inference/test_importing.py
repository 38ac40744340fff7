"""Published checkpoints as models of ours."""

import hashlib
import os
from collections import OrderedDict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fusion import load
from fusion.core.errors import InputError
from fusion.inference.fuse import fuse_batch
from fusion.inference.importing import import_published, importable
from fusion.methods.files import read_card, save_model
from tests.fusion.methods.checkpoints import build
from tests.fusion.methods.published import (
    needs_pairs,
    noise_rule,
    pair_of,
    reference,
    share_apart,
)


@pytest.fixture
def write(tmp_path):
    """Writes the files of a checkpoint; gives what `import_published` takes."""

    def files(content, suffix):
        given = []
        for file, weights in content.items():
            part, equals, name = file.rpartition("=")
            path = tmp_path / f"{name}{suffix}"
            if suffix == ".safetensors":
                save_file({key: value.contiguous() for key, value in weights.items()}, path)
            else:
                torch.save(OrderedDict(weights), path)
            given.append(f"{part}{equals}{path}")
        return given

    return files


@pytest.fixture(scope="module")
def images():
    y, x = np.mgrid[:32, :48]
    infrared = (127 + 120 * np.sin(0.2 * x + 0.1 * y)).astype(np.uint8)
    return infrared, np.stack([infrared.T.reshape(32, 48), infrared, 255 - infrared], axis=2)


def by_hand(checkpoint, kind):
    """The network with the weights that the method's table gives."""
    table = import_module(f"fusion.methods.{kind}.published")
    entries = {
        f"{file.partition('=')[0]}.{name}" if "=" in file else name: value
        for file, weights in checkpoint.files.items()
        for name, value in weights.items()
    }
    network = checkpoint.method(checkpoint.config)
    network.load_state_dict(table.convert(entries).weights)
    return network.eval()


@torch.inference_mode()
def drawn(network, infrared, visible):
    planes = torch.from_numpy(infrared)[None, None], torch.from_numpy(visible).permute(2, 0, 1)
    fused = fuse_batch(network, planes[0], planes[1][None], stretched=False)
    return fused[0].permute(1, 2, 0).numpy()


SLOW = ("bdlfusion", "mmaunet")
KINDS = [
    pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind for kind in importable()
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_imported_model_draws_what_the_network_does(kind, write, images, tmp_path):
    checkpoint = build(kind)
    network = by_hand(checkpoint, kind)
    expected = drawn(network, *images)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    for suffix in (".pth", ".safetensors") if parameters < 10**6 else (".pth",):
        imported = import_published(kind, write(checkpoint.files, suffix), "MIT")
        save_model(tmp_path / suffix, kind, imported.method, imported.facts)
        fused = load(tmp_path / suffix)(*images)
        np.testing.assert_allclose(fused.astype(int), expected.astype(int), atol=1)
        card = read_card(tmp_path / suffix)
        assert card["parameters"] == parameters
        assert (card["license"], card["variant"]) == ("MIT", checkpoint.variant)
        assert card["origin"] == "published weights, trained elsewhere"
        (tmp_path / suffix / "weights.safetensors").unlink()


def test_the_card_names_each_file_with_its_digest(write):
    (path,) = write({"published": build("mmdrfuse").files["weights"]}, ".model")
    facts = import_published("mmdrfuse", [path]).facts
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert facts["files"] == [{"name": "published.model", "sha256": digest}]
    assert facts["license"] == "not stated"


@pytest.mark.parametrize("kind", sorted(set(importable()) - {"mmaunet"}))
def test_entries_that_do_not_fit_are_named(kind, write):
    checkpoint = build(kind)
    files = {name: dict(weights) for name, weights in checkpoint.files.items()}
    entries = next(iter(files.values()))
    lost, misshapen = [name for name, value in entries.items() if value.dim() == 4][-2:]
    del entries[lost]
    entries[misshapen] = torch.zeros(2, 3, 5, 7)
    entries["surplus.weight"] = torch.zeros(2)
    with pytest.raises(InputError) as caught:
        import_published(kind, write(files, ".pth"))
    for expected in (
        f"missing: {lost}",
        "unknown: surplus.weight",
        f"of another shape: {misshapen} (2×3×5×7, not ",
    ):
        assert expected in str(caught.value)


def test_every_entry_that_does_not_fit_is_named(write):
    names = build("seafusion").files["weights"]
    with pytest.raises(InputError) as caught:
        import_published("seafusion", write({"w": {"other.weight": torch.ones(1)}}, ".pth"))
    assert len(names) > 50
    assert all(name in str(caught.value) for name in names)


def test_a_training_loop_may_have_wrapped_the_state_dict(tmp_path):
    weights = build("mmdrfuse").files["weights"]
    inner = {f"module.{name}": value for name, value in weights.items()}
    torch.save({"epoch": 7, "state_dict": inner, "optimizer": {"x": torch.ones(2)}}, tmp_path / "w")
    found = import_published("mmdrfuse", [str(tmp_path / "w")]).method.state_dict()
    expected = by_hand(build("mmdrfuse"), "mmdrfuse").state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_settings_that_no_file_tells_are_validated_and_kept(write, tmp_path):
    (path,) = write({"tardal": build("tardal").files["weights"]}, ".pth")
    imported = import_published("tardal", [path], settings=["statistics=running"])
    assert imported.method.config.statistics == "running"
    save_model(tmp_path / "model", "tardal", imported.method, imported.facts)
    assert read_card(tmp_path / "model")["config"]["statistics"] == "running"
    for setting, reason in {
        "statistics=none": r"statistics: Input should be 'image' or 'running'",
        "mode=running": r"mode: Extra inputs are not permitted.*a key of depth, statistics, width",
        "statistics": "is not one setting; give KEY=VALUE",
        "width=16": "makes a network that these weights do not fit",
    }.items():
        with pytest.raises(InputError, match=reason):
            import_published("tardal", [path], settings=[setting])


@pytest.mark.parametrize("below", ["", "module."])
def test_a_state_dict_below_fuse_is_read_as_caf(tmp_path, below):
    """The authors' files are {"fuse": network}, and so a user's may be {"fuse": state dict}."""
    weights = build("caf").files["weights"]
    inner = {f"{below}{name}": value for name, value in weights.items()}
    torch.save({"fuse": inner, "epoch": 3}, tmp_path / "caf.pth")
    found = import_published("caf", [str(tmp_path / "caf.pth")]).method.state_dict()
    expected = by_hand(build("caf"), "caf").state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


class Hostile:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_and_never_runs(tmp_path, zipped):
    proof = tmp_path / "ran"
    content = {"weight": torch.ones(2), "object": Hostile(f"touch {proof}")}
    path = tmp_path / "theirs.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"theirs\.pth: holds more than tensors.*state_dict\(\)"):
        import_published("caf", [str(path)])
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists()  # or the file would prove nothing


def test_a_whole_network_object_is_refused_with_the_way_out(tmp_path):
    torch.save({"fuse": build("caf").method(build("caf").config)}, tmp_path / "Det_final.pth")
    with pytest.raises(InputError, match=r"Det_final\.pth: .*torch\.save\(network\.state_dict\(\)"):
        import_published("caf", [str(tmp_path / "Det_final.pth")])


def test_values_that_no_network_can_use_are_refused(write):
    weights = dict(build("mmdrfuse").files["weights"])
    name = "conv2.1.bias"
    for value in (torch.full_like(weights[name], torch.nan), weights[name] * 1j):
        with pytest.raises(InputError, match=r"no real, finite values for network\.head\.bias"):
            import_published("mmdrfuse", write({"w": weights | {name: value}}, ".pth"))


def test_methods_without_a_table_are_refused_with_those_that_have_one():
    with pytest.raises(InputError, match=r"average: has no table .*bdlfusion, caf, .*umf"):
        import_published("average", ["x.pth"])
    with pytest.raises(InputError, match=r"nope: is no fusion method; choose from bdlfusion"):
        import_published("nope", ["x.pth"])


def test_files_are_all_there_and_given_once(write, tmp_path):
    one, two = write(build("tim").files, ".pth")
    with pytest.raises(InputError, match=r"missing: cells2\..*stem_out4\.2\.conv2d\.w"):
        import_published("tim", [one])
    with pytest.raises(InputError, match=r"one\.pth: has entries that another file also has"):
        import_published("tim", [one, two, one])
    with pytest.raises(InputError, match=r"nowhere\.pth: is missing"):
        import_published("tim", [one, str(tmp_path / "nowhere.pth")])


def test_files_of_equal_names_say_which_part_they_are(tmp_path):
    torch.save(noise_rule({"outc.conv.weight": (1, 64, 1, 1)}, 1.0), tmp_path / "a.pth")
    file = str(tmp_path / "a.pth")
    form = "give visible=FILE infrared=FILE fusion=FILE"
    with pytest.raises(InputError, match=f"does not say which part it is; {form}"):
        import_published("mmaunet", [file])
    with pytest.raises(InputError, match=f"is a second file for visible; {form}"):
        import_published("mmaunet", [f"visible={file}", f"visible={file}"])
    with pytest.raises(InputError, match=r"missing: fusion\."):
        import_published("mmaunet", [f"visible={file}"])


@pytest.mark.slow
@needs_pairs
def test_published_weights_draw_the_published_picture_once_imported(tmp_path):
    weights = reference("seafusion") / "weights.safetensors"
    imported = import_published("seafusion", [str(weights)])
    save_model(tmp_path / "model", "seafusion", imported.method, imported.facts)
    with torch.inference_mode():
        fused = load(tmp_path / "model").method(*pair_of("msrs-00004N"))
    picture = reference("seafusion") / "reference" / "msrs-00004N.png"
    assert share_apart(fused, picture) <= 0.001
