"""Rows of what others trained, from their file to the scores."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from fusion import load
from fusion.images.decode import write_image
from fusion.images.prepared import PreparedSet
from fusion.methods.files import read_card
from pipelines import params
from pipelines.commands.import_ import import_
from pipelines.compose import compose
from pipelines.paths import PREPARED
from pipelines.rows import Exported, Published
from pipelines.scores.base import score_folder
from pipelines.scores.fusion import FusionScores
from pipelines.stages import evaluate, fuse, model
from tests.fusion.methods.checkpoints import build

ROOT = Path(__file__).parents[3]
NAMES = ["0", "1", "2"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a prepared data set and a published file, and params.yaml with its row."""
    monkeypatch.chdir(tmp_path)
    compose(Path("params.yaml"), ["profile=tiny", "method=[average]"], ROOT / "conf")
    content = yaml.safe_load(Path("params.yaml").read_text())
    dataset = content["fuse_on"][0]
    content["methods"]["theirs"] = {"kind": "mmdrfuse", "source": "models/theirs-published"}
    Path("params.yaml").write_text(yaml.safe_dump(content))
    _prepare(dataset, content["datasets"][dataset]["fuse"])
    torch.save(build("mmdrfuse").files["weights"], "student.model")
    return dataset


def _prepare(dataset, splits):
    random = np.random.default_rng(0)
    for name, split in product(NAMES, splits):
        noise = cv2.GaussianBlur(random.integers(0, 256, (48, 64, 3), dtype=np.uint8), (5, 5), 2)
        write_image(_folder(dataset, "vi", split) / f"{name}.png", noise)
        write_image(_folder(dataset, "ir", split) / f"{name}.png", noise[::-1, :, 0].copy())
    facts = {"split_protocol": "official", "checksum": "0", "notes": {}, "night": None}
    names = dict.fromkeys(splits, NAMES)
    prepared = PreparedSet(name=dataset, layout="boxes", classes=None, splits=names, **facts)
    prepared.save(PREPARED / dataset)


def _folder(dataset, kind, split="test"):
    folder = PREPARED / dataset / split / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_published_weights_are_fused_and_measured_like_any_row(project):
    import_("mmdrfuse", ["student.model"], Path("models/theirs-published"), "not stated")
    assert isinstance(params.load().row("theirs"), Published)
    model.main("theirs")
    card = read_card(Path("models/theirs"))
    assert (card["origin"], card["variant"]) == ("published weights, trained elsewhere", "student")
    assert card["files"][0]["name"] == "student.model"
    assert "network_code" in card

    fuse.main("theirs", project)
    network = load(Path("models/theirs-published"))
    for name in NAMES:
        infrared = cv2.imread(str(_folder(project, "ir") / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        visible = cv2.imread(str(_folder(project, "vi") / f"{name}.png"))[..., ::-1]
        fused = cv2.imread(f"fused/theirs-{project}/test/{name}.png")[..., ::-1].astype(int)
        assert abs(fused - network(infrared, visible, stretch=_stretched())).max() <= 1

    evaluate.main("theirs", project)
    scores = FusionScores.load(score_folder("evaluate", "theirs", project))
    assert list(scores.images["name"]) == NAMES
    assert np.isfinite(scores.images.drop(columns="name").to_numpy()).all()


def _stretched():
    return params.load().fusion.stretch


@pytest.mark.slow
def test_the_command_imports_with_settings_and_refuses_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(build("tardal").files["weights"], "tardal.pt")
    arguments = ["import", "tardal", "tardal.pt", "--license", "GPL-3.0", "--set"]
    done = run(*arguments, "statistics=running", "--out", "models/tardal")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "models/tardal: tardal (TarDAL), 296,577 parameters, license: GPL-3.0\n"
    card = read_card(Path("models/tardal"))
    assert (card["method"], card["config"]["statistics"]) == ("tardal", "running")
    assert card["license"] == "GPL-3.0"
    assert load(Path("models/tardal")).method.config.statistics == "running"
    done = run(*arguments, "width=16", "--out", "models/other")
    assert (done.returncode, done.stdout) == (1, "")
    assert "width=16: makes a network that these weights do not fit" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path("models/other").exists()


def run(*arguments):
    """The command line `pomai`, in the present folder."""
    program = "from pipelines.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_row_whose_folder_is_not_there_names_it(project):
    with pytest.raises(ValueError, match=r"theirs\.source: 'models/theirs-published' is not a"):
        params.load()


def test_a_row_of_an_onnx_file_is_fused_and_measured_without_code(project):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    ports = [helper.make_tensor_value_info(n, kind, [1, 1, None, None]) for n in ("a", "b", "c")]
    nodes = [helper.make_node("Mean", ["a", "b"], ["c"])]
    graph = helper.make_graph(nodes, "mean", ports[:2], ports[2:])
    opset = helper.make_opsetid("", 18)
    network = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    content = yaml.safe_load(Path("params.yaml").read_text())
    del content["methods"]["theirs"]
    row = {"kind": "onnx", "source": "mean.onnx", "config": {"infrared": "a"}}
    content["methods"]["mean"] = row
    Path("params.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=r"mean\.source: 'mean\.onnx' is not a file"):
        params.load()
    Path("mean.onnx").write_bytes(network.SerializeToString())
    assert isinstance(params.load().row("mean"), Exported)
    for name in ("mean", "average"):
        model.main(name)
        fuse.main(name, project)
    for name in NAMES:
        ours, theirs = (
            cv2.imread(f"fused/{row}-{project}/test/{name}.png").astype(int)
            for row in ("average", "mean")
        )
        assert abs(ours - theirs).max() <= 1
    evaluate.main("mean", project)
    scores = FusionScores.load(score_folder("evaluate", "mean", project))
    assert list(scores.images["name"]) == NAMES
    assert "sha256" in read_card(Path("models/mean"))
