"""Networks that others exported, run by ONNX Runtime."""

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from fusion import load
from fusion.core.errors import InputError
from fusion.images.color import luminance
from fusion.inference.export import write_onnx
from fusion.methods.base import FusionMethod
from fusion.methods.files import load_model, save_model
from fusion.methods.onnx.config import OnnxConfig
from fusion.methods.onnx.method import Onnx
from fusion.methods.onnx.program import Session, providers_of

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:# The axis name")
torch.manual_seed(0)
LAYERS = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))


class Tiny(FusionMethod):
    """A network of ours; its input is luminance."""

    def forward(self, infrared, visible):
        return LAYERS(torch.cat([infrared, luminance(visible)], dim=1)).sigmoid()


class Theirs(nn.Module):
    """The same network as others may write it: other ranges, layouts and channels."""

    def __init__(self, white=1, rgb=False, last=False):
        super().__init__()
        self.layers, self.white, self.rgb, self.last = LAYERS, white, rgb, last

    def forward(self, vi, ir):
        vi, ir = (x.permute(0, 3, 1, 2) if self.last else x for x in (vi, ir))
        gray = luminance(vi) if self.rgb else vi
        fused = self.layers(torch.cat([ir, gray], dim=1) / self.white).sigmoid() * self.white
        return fused.permute(0, 2, 3, 1) if self.last else fused


@pytest.fixture
def exported(tmp_path):
    """Writes `Theirs` as an ONNX file of open or fixed sides."""

    def write(names=("vis_image", "ir_image"), size=None, **variant):
        network = Theirs(**variant).eval()
        height, width = size or (40, 56)
        shapes = [(1, 3 if network.rgb else 1, height, width), (1, 1, height, width)]
        if network.last:
            shapes = [(shape[0], *shape[2:], shape[1]) for shape in shapes]
        sides = {1: "h", 2: "w"} if network.last else {2: "h", 3: "w"}
        example = tuple(torch.rand(shape) for shape in shapes)
        path = tmp_path / "theirs.onnx"
        torch.onnx.export(
            network,
            example,
            path,
            input_names=list(names),
            output_names=["fused"],
            dynamic_shapes=None if size else {"vi": sides, "ir": sides},
            external_data=False,
            verbose=False,
        )
        return path

    return write


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    return (
        random.integers(0, 256, (43, 61), dtype=np.uint8),
        random.integers(0, 256, (43, 61, 3), dtype=np.uint8),
    )


def planes(infrared, visible):
    return (
        torch.from_numpy(infrared)[None, None] / 255,
        torch.from_numpy(visible).permute(2, 0, 1)[None] / 255,
    )


@torch.inference_mode()
def expected(images):
    return Tiny(Tiny.config_class())(*planes(*images))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "config"),
    [
        ({}, {}),
        ({"rgb": True}, {}),
        ({"rgb": True, "names": ("a", "b")}, {}),
        ({"names": ("a", "b")}, {"infrared": "b"}),
        ({"names": ("a", "b")}, {"visible": "a", "output": "fused"}),
        ({"white": 255}, {"white": 255}),
        ({"last": True}, {}),
        ({"last": True, "rgb": True}, {"visible_channels": "rgb"}),
    ],
)
@torch.inference_mode()
def test_a_file_draws_what_its_network_does(exported, images, variant, config):
    method = Onnx.read(exported(**variant), OnnxConfig(**config))
    torch.testing.assert_close(method(*planes(*images)), expected(images), atol=1e-4, rtol=0)


@pytest.mark.slow
@torch.inference_mode()
def test_a_batch_is_run_image_by_image(exported, images):
    method = Onnx.read(exported(), OnnxConfig())
    infrared, visible = planes(*images)
    batch = torch.cat([infrared, 1 - infrared]), torch.cat([visible, visible])
    assert torch.equal(method(*batch)[:1], method(infrared, visible))
    assert torch.equal(method(*batch)[1:], method(1 - infrared, visible))


@pytest.mark.slow
def test_our_own_export_comes_back_within_a_gray_level(tmp_path, images):
    """By its path, and as a saved model, which needs the file no more."""
    tiny = Tiny(Tiny.config_class()).eval()
    program = torch.export.export(tiny, planes(*images))
    write_onnx(program, tmp_path / "tiny.onnx", {})
    save_model(tmp_path / "saved", "onnx", Onnx.read(tmp_path / "tiny.onnx", OnnxConfig()), {})
    fused = [load(tmp_path / "tiny.onnx")(*images)]
    (tmp_path / "tiny.onnx").unlink()
    fused.append(load(tmp_path / "saved")(*images))
    levels = (expected(images)[0, 0] * 255).round().numpy()
    visible = planes(*images)[1]
    shift = levels - (luminance(visible)[0, 0] * 255).numpy()
    wanted = (images[1] + shift[..., None]).round().clip(0, 255)
    for picture in fused:
        assert abs(picture - wanted).max() <= 1


@pytest.mark.slow
@torch.inference_mode()
def test_sides_are_padded_to_a_multiple_and_cropped(exported, images):
    path = exported(size=(48, 64))
    method = Onnx.read(path, OnnxConfig(multiple=16))
    fused = method(*planes(*images))
    assert fused.shape == (1, 1, 43, 61)
    inner = (..., slice(0, 40), slice(0, 58))  # beyond the reach of the padding
    torch.testing.assert_close(fused[inner], expected(images)[inner], atol=1e-4, rtol=0)


@pytest.mark.slow
def test_a_fixed_size_is_named_where_an_image_has_another(exported, images):
    fuse = load(exported(size=(48, 64)))
    with pytest.raises(InputError, match=r"takes images of height 48 only, not 43"):
        fuse(*images)


def model_of(inputs, tensor=None):
    """An ONNX model that passes on its first input."""
    helper, kinds = onnx.helper, onnx.TensorProto
    ports = [
        helper.make_tensor_value_info(name, kinds.FLOAT, shape) for name, shape in inputs.items()
    ]
    nodes = [helper.make_node("Identity", [ports[0].name], ["out"])]
    out = helper.make_tensor_value_info("out", kinds.FLOAT, [1, 1, None, None])
    graph = helper.make_graph(nodes, "g", ports, [out], [tensor] if tensor else [])
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


OPEN = (1, None, None, None)
GRAY = (1, 1, None, None)


@pytest.mark.parametrize(
    ("inputs", "config", "reason"),
    [
        ({"ir": OPEN}, {}, r"takes 1 inputs \(ir\), not two"),
        ({"ir": OPEN, "vi": OPEN, "mask": OPEN}, {}, r"takes 3 inputs \(ir, vi, mask\), not two"),
        ({"a": OPEN, "b": OPEN}, {}, r"does not tell which of its inputs \(a, b\) is infrared"),
        ({"a": OPEN, "b": OPEN}, {"infrared": "c"}, r"has no input c; choose from a, b"),
        ({"ir": GRAY, "vi": GRAY}, {"output": "x"}, r"has no output x; choose from out"),
        ({"ir": GRAY, "vi": GRAY}, {"visible_channels": "rgb"}, r"its input vi has 1 channels"),
        ({"ir": (1, 3, None, None), "vi": GRAY}, {}, r"its input ir has 3 channels"),
        ({"ir": (4, 4), "vi": GRAY}, {}, r"its input ir is tensor\(float\) of 2 dimensions"),
    ],
)
def test_wrong_inputs_are_refused_in_words(tmp_path, inputs, config, reason):
    path = tmp_path / "wrong.onnx"
    path.write_bytes(model_of(inputs).SerializeToString())
    with pytest.raises(InputError, match=rf"wrong\.onnx: {reason}"):
        Onnx.read(path, OnnxConfig(**config))


def test_an_output_of_another_size_is_refused(tmp_path, images):
    model = model_of({"ir": GRAY, "vi": GRAY})
    model.graph.node[0].CopyFrom(onnx.helper.make_node("Transpose", ["ir"], ["out"]))
    (tmp_path / "turned.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"its output out is 61×43×1×1, no image of 43×61"):
        load(tmp_path / "turned.onnx")(*images)


def ending_in(tmp_path, node, output):
    """The path of a model whose output is made from its infrared image by one node."""
    model = model_of({"ir": GRAY, "vi": GRAY})
    model.graph.node[0].CopyFrom(node)
    model.graph.output[0].CopyFrom(output)
    (tmp_path / "theirs.onnx").write_bytes(model.SerializeToString())
    return tmp_path / "theirs.onnx"


def cast(kind):
    return onnx.helper.make_node("Cast", ["ir"], ["out"], to=kind)


def plane(kind):
    return onnx.helper.make_tensor_value_info("out", kind, GRAY)


@pytest.mark.parametrize("kind", ["STRING", "INT64", "BOOL"])
def test_an_output_that_is_no_image_is_refused_by_its_type(tmp_path, kind):
    kind = getattr(onnx.TensorProto, kind)
    path = ending_in(tmp_path, cast(kind), plane(kind))
    with pytest.raises(InputError, match=r"its output out is tensor\((string|int64|bool)\), no im"):
        load(path)


@pytest.mark.parametrize("wrapper", ["SequenceConstruct", "Optional"])
def test_an_output_that_is_no_tensor_is_refused_by_its_type(tmp_path, wrapper):
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inner = helper.make_tensor_type_proto(kind, GRAY)
    make = {
        "SequenceConstruct": helper.make_sequence_type_proto,
        "Optional": helper.make_optional_type_proto,
    }[wrapper]
    output = helper.make_value_info("out", make(inner))
    path = ending_in(tmp_path, helper.make_node(wrapper, ["ir"], ["out"]), output)
    with pytest.raises(InputError, match=r"its output out is (seq|optional)\(.*, no image"):
        load(path)


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE"])
def test_an_output_of_another_precision_is_an_image(tmp_path, images, kind):
    kind = getattr(onnx.TensorProto, kind)
    fused = load(ending_in(tmp_path, cast(kind), plane(kind)))
    gray = np.full((43, 61, 3), 90, np.uint8)
    assert abs(fused(images[0], gray)[..., 0].astype(int) - images[0]).max() <= 1


def scaled(tmp_path, gain, offset):
    """The path of a model whose output is gain · infrared + offset."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    model = model_of({"ir": GRAY, "vi": GRAY})
    del model.graph.node[:]
    for name, value in (("gain", gain), ("offset", offset)):
        model.graph.initializer.append(helper.make_tensor(name, kind, [], [value]))
    model.graph.node.append(helper.make_node("Mul", ["ir", "gain"], ["product"]))
    model.graph.node.append(helper.make_node("Add", ["product", "offset"], ["out"]))
    (tmp_path / "theirs.onnx").write_bytes(model.SerializeToString())
    return tmp_path / "theirs.onnx"


@pytest.mark.parametrize(
    ("gain", "offset", "config"),
    [
        (1, 0, {}),
        (1, 0, {"black": -1}),
        (2, -1, {"output_black": -1}),
        (0.5, 0.5, {"black": -1, "output_black": 0}),
        (1, 0, {"white": 255}),
        (255, 0, {"output_white": 255}),
        (1 / 255, 0, {"white": 255, "output_white": 1}),
    ],
)
@torch.inference_mode()
def test_inputs_and_output_have_the_range_of_the_config(tmp_path, images, gain, offset, config):
    infrared, visible = planes(*images)
    fused = Onnx.read(scaled(tmp_path, gain, offset), OnnxConfig(**config))(infrared, visible)
    torch.testing.assert_close(fused, infrared, atol=1e-5, rtol=0)


def test_a_config_beside_the_file_is_read(tmp_path, images):
    path = scaled(tmp_path, 255, 0)
    gray = np.full((43, 61, 3), 90, np.uint8)
    path.with_suffix(".json").write_text(json.dumps({"output_white": 255}))
    fused = load(path)(images[0], gray)
    assert abs(fused[..., 0].astype(int) - images[0]).max() <= 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting property name"),
        ("[1]", "valid dictionary"),
        ('{"wite": 255}', "wite: Extra inputs are not permitted"),
        ('{"white": 2}', "white: Input should be 1 or 255"),
        ('{"black": -1, "white": 255}', "black -1 goes with white 1"),
    ],
)
def test_a_wrong_config_beside_the_file_is_refused(tmp_path, content, reason):
    path = scaled(tmp_path, 1, 0)
    path.with_suffix(".json").write_text(content)
    match = rf"theirs\.json: is no config of an ONNX file \(.*{reason}"
    with pytest.raises(InputError, match=match):
        load(path)


def test_the_card_of_weights_of_the_same_name_is_no_config(tmp_path, images):
    path = scaled(tmp_path, 1, 0)
    path.with_suffix(".json").write_text('{"method": "pomai", "config": {}}')
    gray = np.full((43, 61, 3), 90, np.uint8)
    assert load(path)(images[0], gray).shape == gray.shape


@pytest.mark.parametrize("offset", [127.5, -4.0])
def test_an_output_far_from_the_range_is_refused_with_the_way_out(tmp_path, images, offset):
    fuse = load(scaled(tmp_path, 1, offset))
    match = r"theirs\.onnx: its output out is .*, far from 0 \(black\) to 1 .*NAME\.json"
    with pytest.raises(InputError, match=match):
        fuse(*images)


@pytest.mark.parametrize("location", ["weights.bin", "../secret", "/etc/passwd"])
def test_weights_in_other_files_are_refused_unread(tmp_path, location):
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[2])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    plain, hidden = model_of({"ir": GRAY, "vi": GRAY}, tensor), model_of({"ir": GRAY, "vi": GRAY})
    hidden.graph.node.append(onnx.helper.make_node("Constant", [], ["c"], value=tensor))
    for model in (plain, hidden):
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(InputError, match=r"keeps weights in other files.*save it as one file"):
            load(tmp_path / "m.onnx")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" * 9, b"\x80\x04K\x01.", b"<html>"])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.onnx: is no ONNX file"):
        load(tmp_path / "x.onnx")


def test_a_file_that_is_not_there_is_not_looked_for_elsewhere():
    with pytest.raises(InputError, match=r"models/x\.onnx: is not a model: .*does not exist"):
        load("models/x.onnx")


def test_a_program_that_cannot_run_is_refused(tmp_path):
    model = model_of({"ir": GRAY, "vi": GRAY})
    model.graph.node[0].op_type = "Nonsense"
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"x\.onnx: cannot be run by ONNX Runtime \(.*Nonsense"):
        load(tmp_path / "x.onnx")


def test_a_gpu_is_chosen_by_its_number():
    assert providers_of(torch.device("cpu")) == ["CPUExecutionProvider"]
    assert providers_of(torch.device("cuda", 3))[0] == ("CUDAExecutionProvider", {"device_id": 3})


def test_a_runtime_without_cuda_does_not_take_the_cpu_instead():
    runtime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    program = model_of({"ir": GRAY, "vi": GRAY}).SerializeToString()
    with pytest.raises(InputError, match=r"x\.onnx: cannot be run on cuda:1.*onnxruntime-gpu"):
        Session(program, torch.device("cuda:1"), "x.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_missing_packages_are_named_with_the_extra(tmp_path, monkeypatch, package):
    (tmp_path / "x.onnx").write_bytes(model_of({"ir": GRAY, "vi": GRAY}).SerializeToString())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{package}.*install the extra: pomai\[onnx\]"):
        load(tmp_path / "x.onnx")


def test_a_saved_model_without_its_program_is_refused(tmp_path):
    saved = tmp_path / "saved"
    save_model(saved, "onnx", Onnx(OnnxConfig()), {})
    with pytest.raises(InputError, match="cannot be run by ONNX Runtime"):
        load_model(saved).running()
