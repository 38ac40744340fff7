from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from detection.config import DetectionConfig
from detection.models import MODELS, SIZES


def described():
    """The box detectors that the installed ultralytics describes, by name."""
    folder = Path(str(files("ultralytics"))) / "cfg" / "models"
    for file in folder.rglob("*.yaml"):
        description = yaml.safe_load(file.read_text())
        if description["head"][-1][2] not in ("Detect", "v10Detect"):
            continue
        sizes = description.get("scales") or {}
        base, dash, variant = file.stem.partition("-")
        yield from (
            (f"{base}{size}{dash}{variant}" for size in sizes) if len(sizes) > 1 else (file.stem,)
        )


def test_the_names_are_those_of_the_library():
    assert set(MODELS) == set(described())
    assert len(MODELS) == len(set(MODELS))
    assert SIZES == "nsmlx"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "yolov8s.pt",
            r"'yolov8s\.pt' is not one of ultralytics' box detectors; did you mean yolov8s",
        ),
        ("YOLOv5n", "did you mean yolov5n"),
        ("yolov5q", "did you mean yolov5"),
        ("yolov8n-seg", "is not one of"),
        ("rtdetr-l", "is not one of"),
        ("yolov8", "has no size: choose one of yolov8n, yolov8s, yolov8m, yolov8l"),
        ("yolo26-p2", "has no size: choose one of yolo26n-p2, "),
        ("models/mine.yaml", "is not one of"),
        ("/etc/passwd", "for example yolov5s"),
        ("", "for example yolov5s"),
        ("yolov5n\n", "did you mean yolov5n"),
    ],
)
def test_only_names_of_box_detectors_are_models(name, reason):
    with pytest.raises(ValueError, match=reason):
        DetectionConfig(model=name)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_size": 100}, "multiple of 32"),
        ({"image_size": 3_200_000}, "less than or equal to 16384"),
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"epochs": 10**30}, "less than or equal to 1000000"),
        ({"batch_size": 10**9}, "less than or equal to 65536"),
        ({"learning_rate": float("inf")}, "finite number"),
        ({"learning_rate": float("nan")}, "finite number"),
        ({"warmup_epochs": float("inf")}, "finite number"),
        ({"workers": 10**6}, "less than or equal to 1024"),
    ],
)
def test_impossible_settings_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        DetectionConfig(**changes)
