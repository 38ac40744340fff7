"""Scores: what is written is what is read, and what cannot be read is named."""

import json

import numpy as np
import pandas as pd
import pytest

from fusion.core.errors import InputError
from pipelines.paths import PLOTS
from pipelines.scores.base import score_folder
from pipelines.scores.detection import DetectionScores
from pipelines.scores.fusion import FusionScores
from pipelines.scores.segmentation import SegmentationScores
from tests.pipelines.report.boards import (
    confusions,
    detection,
    labeled,
    part,
    random_matches,
    segmentation,
)

FRAME = pd.DataFrame({"name": ["01", "02"], "SD": [1.5, 2.5], "VIF": [0.1, None], "range": [9, 8]})
NIGHT = part(None, {"Car": None}, {"Car": 0}, 3)
ALL = {
    "evaluate": FusionScores.of(FRAME, stretch=True),
    "detect": detection(
        runs=[{"night": NIGHT}, {}], matches={0: random_matches(0), 1: random_matches(1)}
    ),
    "segment": segmentation(
        runs=[{"day": labeled(None, {"car": None})}], confusions={0: confusions(0, 0.5)}
    ),
}
FILES = {"evaluate": "images.csv", "detect": "matches-1.npz", "segment": "per-image-0.npz"}


@pytest.fixture(params=ALL)
def saved(request, tmp_path):
    scores = ALL[request.param]
    scores.save(tmp_path / "score")
    return scores, tmp_path / "score"


def test_facts_come_back(saved):
    scores, folder = saved
    assert type(scores).load(folder).model_dump() == scores.model_dump()


def test_images_matches_and_confusions_come_back(tmp_path):
    for stage, scores in ALL.items():
        scores.save(tmp_path / stage)
    images = FusionScores.load(tmp_path / "evaluate").images
    pd.testing.assert_frame_equal(images, FRAME)
    matches = DetectionScores.load(tmp_path / "detect").matches
    assert [*matches] == [0, 1]
    for seed, found in matches.items():
        expected = random_matches(seed)
        assert found.stems == expected.stems
        np.testing.assert_array_equal(found.confidence, expected.confidence)
    (found,) = SegmentationScores.load(tmp_path / "segment").confusions.values()
    assert found.stems == confusions(0, 0.5).stems
    np.testing.assert_array_equal(found.matrices, confusions(0, 0.5).matrices)


def test_nothing_of_an_earlier_score_stays(saved):
    scores, folder = saved
    (folder / "matches-7.npz").write_bytes(b"")
    scores.save(folder)
    assert not (folder / "matches-7.npz").exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"summary": {}, "miou": "high", "map50": 1}']
)
def test_damaged_facts_are_named_with_a_remedy(saved, content):
    scores, folder = saved
    (folder / "scores.json").write_text(content)
    with pytest.raises(InputError, match=r"scores.json: is damaged .*; run `dvc repro`"):
        type(scores).load(folder)


def test_facts_of_an_older_form_are_named(saved):
    scores, folder = saved
    content = json.loads((folder / "scores.json").read_text())
    (folder / "scores.json").write_text(json.dumps(content | {"earlier": 1}))
    with pytest.raises(InputError, match=r"of another version \(earlier: .*; run `dvc repro`"):
        type(scores).load(folder)


@pytest.mark.parametrize("content", [None, b"", b"no file that anyone wrote", b"PK\x03\x04"])
def test_missing_and_damaged_files_are_named(saved, content):
    scores, folder = saved
    path = folder / FILES[scores.stage]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path.name}: (is|does) .*; run `dvc repro`"):
        type(scores).load(folder)


def test_images_of_another_run_are_refused(tmp_path):
    ALL["evaluate"].save(tmp_path)
    FRAME.head(1).to_csv(tmp_path / "images.csv", index=False)
    with pytest.raises(InputError, match=r"images.csv: does not match the scores.json"):
        FusionScores.load(tmp_path)


def test_a_score_has_one_name_in_every_folder():
    assert score_folder("detect", "pomai", "m3fd").as_posix() == "scores/detect-pomai-m3fd"
    assert score_folder("segment", "a", "b", PLOTS).as_posix() == "plots/segment-a-b"
