"""Profile `boxes`, stage by stage, on a small set with classes of its own."""

import json
from pathlib import Path

import pandas as pd
import pytest

from detection.boxes import Annotation, read_annotation, write_yolo
from detection.classes import CLASSES
from pipelines.compose import compose
from pipelines.datasets.sample import generate
from pipelines.datasets.sample_config import SampleConfig
from pipelines.stages import detect, evaluate, fuse, model, prepare, report

ROOT = Path(__file__).parents[2]
SET, METHODS, SIZE = "msrs_boxes", ("visible", "average", "early_fusion"), (96, 64)
OVERRIDES = [
    "profile=boxes",
    f"method=[{','.join(METHODS)}]",
    "runtime.accelerator=cpu",
    "detection.epochs=1",
    "detect_seeds=[0]",
    "detection.warmup_epochs=0.0",
    "detection.image_size=64",
    "evaluation.metrics=[SD]",
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty working folder, and $FUSION_DATA with 14 pairs of msrs/extra and 6 of msrs/dev.

    Three classes, of which the last has no box.
    """
    generate(
        tmp_path / "raw", SampleConfig(msrs_train=1, msrs_test=1, m3fd=20, height=64, width=96)
    )
    raw, msrs = tmp_path / "raw/M3FD", tmp_path / "data/msrs"
    for index, path in enumerate(sorted((raw / "Annotation").iterdir())):
        source = msrs / ("extra" if index < 14 else "dev")
        found = read_annotation(path, CLASSES, SIZE)
        boxes = Annotation([label % 2 for label in found.labels], found.boxes)
        for folder in ("ir", "vi", "labels_det"):
            (source / folder).mkdir(parents=True, exist_ok=True)
        write_yolo(source / "labels_det" / f"{path.stem}.txt", boxes, *SIZE)
        for kind, name in (("Ir", "ir"), ("Vis", "vi")):
            (raw / kind / f"{path.stem}.png").rename(source / name / f"{path.stem}.png")
    (raw / "night.txt").rename(msrs / "night.txt")
    monkeypatch.setenv("FUSION_DATA", str(tmp_path / "data"))
    project = tmp_path / "project"
    project.mkdir()
    compose(project / "params.yaml", OVERRIDES, ROOT / "conf")
    (project / "fusion").symlink_to(ROOT / "fusion")
    monkeypatch.chdir(project)
    return project


@pytest.mark.slow
def test_boxes_with_classes_of_their_own_go_all_the_way(project):
    prepare.main(SET)
    for method in METHODS:
        model.main(method)
        for stage in (fuse, evaluate):
            stage.main(method, SET)
        detect.main(method, SET, 0)
    report.main()

    facts = json.loads((project / f"data/prepared/{SET}/dataset.json").read_text())
    assert facts["classes"] == ["person", "bicycle", "car"]
    assert facts["split_protocol"] == "official, drawn by seed 0: 15% of train as val"
    assert {split: len(names) for split, names in facts["splits"].items()} == {
        "train": 12,
        "val": 2,
        "test": 6,
    }
    scores = json.loads((project / f"scores/detect-average-{SET}-0/scores.json").read_text())
    assert scores["ap50"]["car"] is None
    assert scores["objects"]["person"] > 0
    assert scores["day"]["images"] + scores["night"]["images"] == len(facts["splits"]["test"])
    assert scores["protocol"]["data"]["name"] == SET
    assert (project / f"weights/detect-average-{SET}-0.pt").is_file()

    board = pd.read_csv("results/leaderboard.csv", index_col="method")
    assert list(board.index) == list(METHODS)
    assert board[f"{SET} mAP@0.5"].notna().all()
    notes = (project / "results/leaderboard.md").read_text()
    assert f"- {SET}: the test images have no object of car: no average precision" in notes
    assert f"- {SET}: detection by yolov5n, split `{facts['split_protocol']}`, prec" in notes
    assert board.loc["early_fusion", [f"{SET} SD"]].isna().all()
    assert "- early_fusion: both images without fusing" in notes
