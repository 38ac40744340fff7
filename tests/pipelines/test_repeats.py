"""What detection and segmentation leave of several training seeds."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from detection.experiment import BEST, DetectionResult
from detection.matches import Matches
from pipelines.compose import compose
from pipelines.stages import detect, segment
from segmentation.confusion import scores
from segmentation.experiment import SegmentationResult

ROOT = Path(__file__).parents[2]
MATCHES = Matches(
    ["a"],
    np.array([[1]]),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
    np.zeros(0, np.float32),
    np.zeros((0, 10), bool),
    np.zeros((0, 4), np.float32),
)

WORKSPACE = SimpleNamespace(classes=["car"], split_protocol="random")


def detected(_, work, config, seed, *arguments, **options):
    (work / BEST).parent.mkdir(parents=True, exist_ok=True)
    (work / BEST).touch()
    return DetectionResult(
        map50=0.5 + seed / 10,
        map50_95=0.2 + seed / 5,
        ap50={"car": 0.5},
        ap50_95={"car": 0.2},
        objects={"car": 1},
        day=None,
        night=None,
        best_epoch=1,
        curve=[],
        precision={"car": np.zeros(101)},
        confusion=np.zeros((2, 2)),
        matches=MATCHES,
        protocol={"precision": "p", "seed": seed},
        seed=seed,
    )


def segmented(fused, dataset, work, config, seed, *arguments, **options):
    matrices = np.eye(9, dtype=np.int64)[None] * (seed + 1)
    shared = {"precision": "p", "seed": seed}
    return SegmentationResult(scores(matrices), None, None, 1, [], shared, seed, ["a"], matrices)


@pytest.fixture
def repeat(tmp_path, monkeypatch):
    """Both stages for these seeds; their training is left out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(detect, "build_workspace", lambda *_: WORKSPACE)
    monkeypatch.setattr(detect, "train_and_test", detected)
    monkeypatch.setattr(segment, "train_and_test", segmented)

    def run(*seeds):
        chosen = f"[{','.join(map(str, seeds))}]"
        overrides = [f"detection.seeds={chosen}", f"segmentation.seeds={chosen}"]
        compose(tmp_path / "params.yaml", overrides, ROOT / "conf")
        detect.main("average", "m3fd")
        segment.main("average", "msrs")

    return run


def test_no_file_of_a_seed_is_left_that_is_no_longer_asked_for(repeat):
    for seeds in ((0, 1, 2), (1,)):
        repeat(*seeds)
        for folder, name in (
            ("scores/detect-average-m3fd", "matches-{}.npz"),
            ("weights/detect-average-m3fd", "seed-{}.pt"),
            ("scores/segment-average-msrs", "per-image-{}.npz"),
        ):
            found = {path.name for path in Path(folder).iterdir()} - {"scores.json"}
            assert found == {name.format(seed) for seed in seeds}
    assert Path("runs/detect-average-m3fd/seed-0").is_dir(), "what a run continues from stays"


def test_every_detection_score_has_its_spread(repeat):
    repeat(0, 1)
    found = json.loads(Path("scores/detect-average-m3fd/scores.json").read_text())
    assert found["map50_sd"] == pytest.approx(0.1 / np.sqrt(2))
    assert found["map50_95_sd"] == pytest.approx(0.2 / np.sqrt(2))
    repeat(0)
    found = json.loads(Path("scores/detect-average-m3fd/scores.json").read_text())
    assert found["map50_sd"] is found["map50_95_sd"] is None
