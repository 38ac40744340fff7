import os
from pathlib import Path

import pytest
import torch

from detection.config import DetectionConfig
from detection.experiment import train_and_test
from detection.offline import go_offline
from detection.weights import SMALLEST_SHARE, check_weights, filled_share
from detection.workspace import build_workspace
from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError

CLASSES = ["square", "disc"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A function: a checkpoint of an untrained model, as its repository publishes it."""
    folder = tmp_path_factory.mktemp("weights")
    go_offline(folder / "home")
    from ultralytics.nn.tasks import DetectionModel

    def save(model, classes=80):
        path = folder / f"{model}-{classes}.pt"
        if not path.is_file():
            network = DetectionModel(f"{model}.yaml", nc=classes, verbose=False)
            torch.save({"model": network}, path)
        return path

    return save


@pytest.mark.slow
@pytest.mark.parametrize(("model", "classes"), [("yolov5n", 80), ("yolov5n", 2), ("yolo11n", 1)])
def test_weights_of_the_same_model_for_any_classes_are_taken(saved, model, classes):
    path = saved(model, classes)
    check_weights(DetectionConfig(model=model, weights=str(path)), CLASSES)
    assert filled_share(model, path, 2)[0] > 0.98


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "other"),
    [
        ("yolov5n", "yolov8n"),
        ("yolo11n", "yolo26n"),
        ("yolov8n", "yolov8s"),
    ],
)
def test_weights_of_another_model_are_refused_with_its_name(saved, model, other):
    path = saved(other)
    with pytest.raises(InputError, match=rf"{other}-80\.pt: fills \d+% of the tensors of {model}"):
        check_weights(DetectionConfig(model=model, weights=str(path)), CLASSES)
    assert filled_share(model, path, 2)[0] < SMALLEST_SHARE - 0.1


def test_they_are_refused_before_anything_is_trained(saved, shapes, tmp_path):
    workspace = build_workspace(shapes / "fused", shapes / "set", tmp_path / "data")
    config = DetectionConfig(model="yolov5n", weights=str(saved("yolov8n")), image_size=64)
    with pytest.raises(InputError, match=r"of another model \(yolov8n\); give weights of yolov5n"):
        train_and_test(workspace, tmp_path / "run", config, 0, RuntimeConfig(accelerator="cpu"))
    assert not (tmp_path / "run/train").exists()


def text(path):
    path.write_text("no weights")


def empty(path):
    path.touch()


def state(path):
    torch.save({"conv.weight": torch.zeros(3)}, path)


@pytest.mark.parametrize("write", [text, empty, state])
def test_files_without_a_network_are_refused(tmp_path, write):
    go_offline(tmp_path / "home")
    path = tmp_path / "best.pt"
    write(path)
    with pytest.raises(
        InputError, match=r"best\.pt: (holds no network of|is not a \.pt|is empty).*; "
    ):
        check_weights(DetectionConfig(weights=str(path)), CLASSES)


class Payload:
    """What a hostile pickle asks for when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("key", ["model", "ema", "train_args", "date"])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_hostile_checkpoint_is_refused_and_its_payload_does_not_run(saved, tmp_path, key, legacy):
    ran, path = tmp_path / "ran", tmp_path / "hostile.pt"
    content = torch.load(saved("yolov5n", 2), weights_only=False)
    content[key] = Payload(Path.touch, ran)
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match=r"hostile\.pt: holds no network of ultralytics, or more"):
        check_weights(DetectionConfig(model="yolov5n", weights=str(path)), CLASSES)
    assert not ran.exists()
    torch.load(path, weights_only=False)
    assert ran.exists(), "the payload is one"


def test_an_expression_in_a_checkpoint_is_not_evaluated(saved, tmp_path):
    """ultralytics evaluates the activation that a model description names."""
    ran, path = tmp_path / "ran", tmp_path / "expression.pt"
    content = torch.load(saved("yolov5n", 2), weights_only=False)
    content["model"].yaml["activation"] = f"__import__('pathlib').Path({str(ran)!r}).touch()"
    torch.save(content, path)
    check_weights(DetectionConfig(model="yolov5n", weights=str(path)), CLASSES)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["yolov5n.pt", "here.txt", "pipe.pt"])
def test_nothing_is_downloaded_and_no_other_file_opened(tmp_path, name):
    (tmp_path / "here.txt").touch()
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(InputError, match=r"does not exist|is not a weight file|not a regular"):
        check_weights(DetectionConfig(weights=str(tmp_path / name)), CLASSES)
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["here.txt", "pipe.pt"]
