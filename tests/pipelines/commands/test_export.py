"""`pomai export`, as a user runs it."""

import json
import sys

import numpy as np
import pytest
import torch

from fusion.inference import export
from fusion.inference.export import FACTS
from fusion.methods.average import Average
from fusion.methods.files import save_model
from fusion.methods.maximum import Maximum
from fusion.methods.wavelet import Wavelet
from pipelines import cli

onnxruntime = pytest.importorskip("onnxruntime", reason="the group dev holds onnxruntime")


@pytest.fixture
def folder(tmp_path):
    """Models that export in a moment, or not at all."""
    save_model(tmp_path / "mean", "average", Average(Average.config_class()), {})
    save_model(tmp_path / "wavelet", "wavelet", Wavelet(Wavelet.config_class()), {})
    return tmp_path


def run(monkeypatch, capsys, folder, out, *options, weights="mean"):
    paths = [f"--out={folder / out}", f"--weights={folder / weights}"]
    monkeypatch.setattr(sys, "argv", ["pomai", "export", *paths, *options])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, capsys.readouterr().out


def mean(infrared, visible):
    return (infrared + visible.mean(1, keepdims=True)) / 2


def gray(batch, height, width):
    """Gray in three planes: luminance is their mean."""
    random = np.random.default_rng(height)
    infrared, visible = random.random((2, batch, 1, height, width), dtype=np.float32)
    return infrared, visible.repeat(3, axis=1)


@pytest.mark.slow
def test_onnx_of_any_size(monkeypatch, capsys, folder):
    code, printed = run(monkeypatch, capsys, folder, "mean.onnx")
    assert code == 0
    assert "mean.onnx: any batch, height and width, from 16x16 pixels" in printed
    assert "100.00% of the pixels are equal to 0.001" in printed
    session = onnxruntime.InferenceSession(folder / "mean.onnx")
    for size in ((1, 16, 16), (2, 33, 50)):
        images = gray(*size)
        (fused,) = session.run(["fused"], dict(zip(("infrared", "visible"), images, strict=True)))
        np.testing.assert_allclose(fused, mean(*images), atol=1e-3)


@pytest.mark.slow
def test_a_torch_program_of_a_wanted_size(monkeypatch, capsys, folder):
    options = ("--format=torch", "--size", "40", "30")
    code, printed = run(monkeypatch, capsys, folder, "mean.pt2", *options)
    assert code == 0
    assert "mean.pt2: one pair at a time, of height 40 and width 30 only" in printed
    facts = {FACTS: ""}
    program = torch.export.load(folder / "mean.pt2", extra_files=facts).module()
    images = gray(1, 40, 30)
    np.testing.assert_allclose(program(*map(torch.from_numpy, images)), mean(*images), atol=1e-3)
    assert json.loads(facts[FACTS])["size"] == [40, 30]


def test_a_file_that_computes_something_else_is_refused(monkeypatch, capsys, folder):
    write = export.write_torch

    def writes_another(program, path, facts):
        other = export.trace(Maximum(Maximum.config_class()), export.fixed_size(program))
        write(other, path, facts)

    monkeypatch.setattr(export, "write_torch", writes_another)
    options = ("--format=torch", "--size", "40", "30")
    code, _ = run(monkeypatch, capsys, folder, "mean.pt2", *options)
    assert "mean.pt2: does not compute what the network does" in code


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("mean.pt2", (), r"mean.pt2: is not a name for onnx; give --out a name ending in .onnx"),
        ("nowhere/mean.onnx", (), "nowhere: is not a folder; make it first"),
        ("mean.onnx", ("--size", "8", "40"), "--size: is too small; sides must be at least 16"),
        ("taken.onnx", (), "taken.onnx: is a folder"),
    ],
)
def test_what_is_refused(monkeypatch, capsys, folder, out, options, message):
    (folder / "taken.onnx").mkdir()
    code, _ = run(monkeypatch, capsys, folder, out, *options)
    assert message in code


@pytest.mark.slow
def test_a_method_outside_torch(monkeypatch, capsys, folder):
    code, _ = run(monkeypatch, capsys, folder, "wavelet.onnx", weights="wavelet")
    assert "wavelet: cannot be exported: torch cannot follow it" in code
    assert not (folder / "wavelet.onnx").exists()
