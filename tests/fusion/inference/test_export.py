"""Exported networks compute what the network computes, without this package's code."""

import json
import sys

import pytest
import torch

from fusion import methods
from fusion.core.errors import InputError
from fusion.inference.export import (
    FACTS,
    describe,
    fixed_size,
    require_onnx,
    smallest_side,
    trace,
    write_onnx,
    write_torch,
)
from fusion.inference.pretrained import load, released_networks
from fusion.methods.average import Average
from fusion.methods.pomai.config import MICMConfig, NGMMConfig, PoMAIConfig
from fusion.methods.pomai.method import PoMAI

onnxruntime = pytest.importorskip("onnxruntime", reason="the group dev holds onnxruntime")

SIZES = [(1, 48, 64), (2, 97, 131), (1, 200, 136)]


def small():
    """Several hash rounds, neighboring groups, one stem for both: every operator there is."""
    torch.manual_seed(0)
    ngmm = NGMMConfig(group_size=30, buckets=16, rounds=2, neighbors=1)
    config = PoMAIConfig(
        channels=4, heads=2, blocks=1, stem="luminance", ngmm=ngmm, micm=MICMConfig(reduction=2)
    )
    return PoMAI(config).eval()


@pytest.fixture(scope="module")
def program():
    return trace(small())


@pytest.fixture(scope="module")
def module(program):
    return program.module()


def pair(batch, height, width):
    generator = torch.Generator().manual_seed(height)
    infrared = torch.rand(batch, 1, height, width, generator=generator)
    return infrared, torch.rand(batch, 3, height, width, generator=generator)


def run_onnx(path, infrared, visible):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    feed = {"infrared": infrared.numpy(), "visible": visible.numpy()}
    return torch.from_numpy(session.run(["fused"], feed)[0])


@pytest.fixture(scope="module")
def onnx_file(program, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    write_onnx(program, path, describe(small(), "small", 16))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 16, 16), *SIZES])
def test_both_agree_with_the_network_at_three_sizes(module, onnx_file, size):
    images = pair(*size)
    with torch.inference_mode():
        expected = small()(*images)
    torch.testing.assert_close(module(*images), expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(run_onnx(onnx_file, *images), expected, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_the_model_describes_itself(onnx_file):
    import onnx

    model = onnx.load(onnx_file)
    onnx.checker.check_model(model)
    facts = json.loads({entry.key: entry.value for entry in model.metadata_props}[FACTS])
    assert (facts["name"], facts["method"], facts["smallest_side"]) == ("small", "pomai", 16)
    assert PoMAIConfig.model_validate(facts["config"]) == small().config
    shapes = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert shapes == [["batch", channels, "height", "width"] for channels in (1, 3, 1)]


@pytest.mark.slow
def test_a_released_network_exports_to_onnx(tmp_path):
    """The smallest: the others have more of the same blocks."""
    networks = [load(name).method for name in released_networks()]
    network = min(networks, key=lambda network: len(network.state_dict()))
    traced = trace(network)
    smallest = smallest_side(traced)
    assert smallest <= 32
    write_onnx(traced, tmp_path / "network.onnx", {})
    for size in [(1, smallest, smallest), (2, 97, 131)]:
        images = pair(*size)
        with torch.inference_mode():
            expected = network(*images)
        fused = run_onnx(tmp_path / "network.onnx", *images)
        torch.testing.assert_close(fused, expected, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_a_saved_program_of_torch_is_the_network(program, tmp_path):
    write_torch(program, tmp_path / "network.pt2", {})
    saved = torch.export.load(tmp_path / "network.pt2").module()
    for size in SIZES:
        images = pair(*size)
        with torch.inference_mode():
            expected = small()(*images)
        torch.testing.assert_close(saved(*images), expected, atol=1e-3, rtol=0)


@pytest.fixture
def average(tmp_path):
    """A method without weights, exported to both."""
    method = Average(Average.config_class())
    traced, facts = trace(method), describe(method, "mean", 16)
    write_onnx(traced, tmp_path / "average.onnx", facts)
    write_torch(traced, tmp_path / "average.pt2", facts)
    return tmp_path


@pytest.mark.slow
def test_methods_without_weights_export_too(average):
    infrared, visible = pair(1, 17, 33)
    luma = 0.299 * visible[:, 0] + 0.587 * visible[:, 1] + 0.114 * visible[:, 2]
    expected = (infrared + luma[:, None]) / 2
    fused = run_onnx(average / "average.onnx", infrared, visible)
    torch.testing.assert_close(fused, expected, atol=1e-6, rtol=0)
    stored = {FACTS: ""}
    program = torch.export.load(average / "average.pt2", extra_files=stored).module()
    torch.testing.assert_close(program(infrared, visible), expected, atol=1e-6, rtol=0)
    assert json.loads(stored[FACTS])["name"] == "mean"


@pytest.mark.slow
def test_the_smallest_side_is_the_smallest_that_a_program_takes():
    class Coarse(Average):
        """Its parts can be told apart only above 40 × 40 pixels."""

        def forward(self, infrared, visible):
            torch._check(infrared.shape[2] * infrared.shape[3] >= 1600)
            return super().forward(infrared, visible)

    assert smallest_side(trace(Coarse(Average.config_class()))) == 64


TINY = {
    "cddfuse": {"channels": 2, "heads": 1, "blocks": 1, "nodes": 1},
    "emma": {"widths": [2, 2], "heads": 1},
    "mmaunet": {"width": 4, "reduction": 2},
    "two_scale": {},
}


def tiny(name):
    torch.manual_seed(0)
    kind = methods.get(name)
    return kind(kind.config_class.model_validate(TINY.get(name, {}))).eval()


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_other_methods_leave_every_size_open_too(name, tmp_path):
    method = tiny(name)
    traced = trace(method)
    assert fixed_size(traced) is None
    assert smallest_side(traced) <= 32
    write_onnx(traced, tmp_path / "tiny.onnx", {})
    module = traced.module()
    for size in SIZES:
        images = pair(*size)
        with torch.inference_mode():
            expected = method(*images)
        torch.testing.assert_close(module(*images), expected, atol=1e-3, rtol=0)
        fused = run_onnx(tmp_path / "tiny.onnx", *images)
        torch.testing.assert_close(fused, expected, atol=1e-3, rtol=0)


class Halving(Average):
    """Needs even sides, and has no way to pad others."""

    def forward(self, infrared, visible):
        rows = infrared.unflatten(2, (-1, 2)).mean(3, keepdim=True).expand(-1, -1, -1, 2, -1)
        return super().forward(rows.flatten(2, 3), visible)


@pytest.mark.slow
def test_a_method_that_leaves_no_size_open_gets_a_fixed_one(tmp_path, monkeypatch):
    monkeypatch.setattr("fusion.inference.export.FIXED_SIZE", (40, 56))
    monkeypatch.setitem(methods.registry._registry, "halving", Halving)
    method = Halving(Average.config_class())
    traced = trace(method)
    assert fixed_size(traced) == (40, 56)
    assert fixed_size(trace(method, (30, 20))) == (30, 20)
    facts = describe(method, "halving", 16, (40, 56))
    assert facts["inputs"]["visible"].startswith("float32, 1 x 3 x 40 x 56")
    write_onnx(traced, tmp_path / "fixed.onnx", facts)
    images = pair(1, 40, 56)
    fused = run_onnx(tmp_path / "fixed.onnx", *images)
    torch.testing.assert_close(fused, method(*images), atol=1e-6, rtol=0)


def test_a_method_outside_torch_is_refused():
    with pytest.raises(InputError, match=r"wavelet: cannot be exported: .*numpy.*only methods"):
        trace(tiny("wavelet"))


def test_without_the_extra_there_is_a_clear_word(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"a\.onnx: cannot be .*onnxscript.*pomai\[export\]"):
        require_onnx(tmp_path / "a.onnx")
