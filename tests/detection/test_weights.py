from pathlib import Path

import pytest
import torch

from detection.config import DetectionConfig
from detection.experiment import train_and_test
from detection.offline import prepare
from detection.weights import SMALLEST_SHARE, check_weights, filled_share
from detection.workspace import build_workspace
from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError

CLASSES = ["square", "disc"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A function: a checkpoint of an untrained model, as its repository publishes it."""
    folder = tmp_path_factory.mktemp("weights")
    prepare(folder / "home")
    from ultralytics.nn.tasks import DetectionModel

    def save(model, classes=80):
        path = folder / f"{model}-{classes}.pt"
        if not path.is_file():
            network = DetectionModel(f"{model}.yaml", nc=classes, verbose=False)
            torch.save({"model": network}, path)
        return path

    return save


@pytest.mark.parametrize(("model", "classes"), [("yolov5n", 80), ("yolov5n", 2), ("yolo11n", 1)])
def test_weights_of_the_same_model_for_any_classes_are_taken(saved, model, classes):
    path = saved(model, classes)
    check_weights(DetectionConfig(model=model, weights=str(path)), CLASSES)
    assert filled_share(model, path, 2)[0] > 0.98


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
    assert not (tmp_path / "run").exists()


def text(path):
    path.write_text("no weights")


def empty(path):
    path.touch()


def state(path):
    torch.save({"conv.weight": torch.zeros(3)}, path)


@pytest.mark.parametrize("write", [text, empty, state])
def test_files_without_a_network_are_refused(tmp_path, write):
    prepare(tmp_path / "home")
    path = tmp_path / "best.pt"
    write(path)
    with pytest.raises(InputError, match=r"best\.pt: holds no network of ultralytics \(.+\); give"):
        check_weights(DetectionConfig(weights=str(path)), CLASSES)


@pytest.mark.parametrize("name", ["yolov5n.pt", "here.txt"])
def test_nothing_is_downloaded(tmp_path, name):
    (tmp_path / "here.txt").touch()
    with pytest.raises(InputError, match=r"is not a local \.pt file; nothing is downloaded"):
        check_weights(DetectionConfig(weights=str(tmp_path / name)), CLASSES)
    assert [path.name for path in Path(tmp_path).iterdir()] == ["here.txt"]
