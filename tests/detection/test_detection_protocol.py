import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from detection.config import DetectionConfig
from detection.protocol import conditions, protocol, used_precision
from detection.train import training_arguments
from detection.workspace import build_workspace
from fusion.core.config import RuntimeConfig
from fusion.core.protocol import differences

CPU = RuntimeConfig(accelerator="cpu")


@pytest.fixture
def changed(shapes, tmp_path):
    """A function: names of the facts that change with a setting, or with the data."""
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"before")
    copy = shutil.copytree(shapes, tmp_path / "shapes")

    def facts(seed, settings):
        workspace = build_workspace(copy / "fused", copy / "set", tmp_path / "work")
        config = DetectionConfig(**{"weights": str(weights), **settings})
        return protocol(config, CPU, seed, workspace)

    original = facts(0, {})
    return lambda seed=0, **settings: set(differences(original, facts(seed, settings)))


def test_every_setting_with_an_effect_is_a_fact(changed):
    none = {"pictures", "workers", "weights"}
    others = {"optimizer": "AdamW", "model": "yolov5n", "image_size": 320}
    for name, value in DetectionConfig().model_dump(exclude=none).items():
        if name not in others:
            others[name] = value / 2 if isinstance(value, float) else value + 1
        assert changed(**{name: others[name]}) == {f"settings.{name}"}
    assert changed(pictures=0, workers=0) == set()
    assert changed(seed=1) == {"seed"}


def test_weights_count_by_their_content_wherever_they_lie(changed, tmp_path):
    shutil.copyfile(tmp_path / "weights.pt", tmp_path / "moved.pt")
    assert changed(weights=str(tmp_path / "moved.pt")) == set()
    (tmp_path / "weights.pt").write_bytes(b"after")
    assert changed() == {"weights"}
    assert changed(weights=None) == {"weights"}


def test_the_data_set_is_told_by_split_labels_and_night(changed, tmp_path):
    dataset = tmp_path / "shapes/set"
    facts = json.loads((dataset / "dataset.json").read_text())

    def rewrite(**values):
        (dataset / "dataset.json").write_text(json.dumps({**facts, **values}))
        return changed()

    assert rewrite(name="other") == {"data.name"}
    assert rewrite(split_protocol="blocks") == {"data.split"}
    assert rewrite(night=["00000"]) == {"data.night_sha256"}
    assert rewrite(night=None) == {"data.night_sha256"}
    assert rewrite(classes=["disc", "square"]) == {"data.classes"}
    moved = {**facts["splits"], "train": [*facts["splits"]["train"], "00012"]}
    moved["val"] = moved["val"][1:]
    for folder, suffix in ((dataset / "{}/labels", ".txt"), (tmp_path / "shapes/fused/{}", ".png")):
        before, after = (str(folder).format(split) for split in ("val", "train"))
        shutil.move(f"{before}/00012{suffix}", f"{after}/00012{suffix}")
    split = {"data.split_sha256", "data.images.train", "data.images.val", "data.labels_sha256"}
    assert rewrite(splits=moved) == split


def test_labels_count_and_images_do_not(changed, tmp_path):
    fused = tmp_path / "shapes/fused/train"
    shutil.copyfile(fused / "00000.png", fused / "00001.png")
    assert changed() == set()
    (tmp_path / "shapes/set/train/labels/00001.txt").write_text("")
    assert changed() == {"data.labels_sha256"}


def test_precision_is_the_one_computed_in(monkeypatch):
    asked = RuntimeConfig(accelerator="cpu", precision="bf16-mixed")
    assert used_precision(asked) == "32-true", "ultralytics has no bfloat16 on a CPU"
    arguments = training_arguments(Path("data"), Path("run"), DetectionConfig(), 0, asked)
    assert arguments["amp"] is False
    gpu = RuntimeConfig(accelerator="cuda", precision="bf16-mixed")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.current_device", lambda: 0)
    for native, used in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda native=native, **_: native)
        assert used_precision(gpu) == used


def test_libraries_are_named_with_their_versions():
    found = conditions(DetectionConfig(), CPU)["libraries"]
    assert found == {"ultralytics": version("ultralytics"), "torch": version("torch")}
    assert torch.__version__.startswith(found["torch"].partition("+")[0])
