"""Scores: what is written is what is read, and what cannot be read is named."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo

from fusion.core.code import ROOT
from fusion.core.errors import InputError
from pipelines.params import load
from pipelines.paths import PLOTS, SCORES
from pipelines.scores.base import score_folder, stage_name
from pipelines.scores.detection import DetectionScores
from pipelines.scores.fusion import FusionScores
from pipelines.scores.segmentation import PredictedLabels, SegmentationScores
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
    "detect": detection({"night": NIGHT, "matches": random_matches(1)})[0],
    "segment": segmentation(
        {"day": labeled(None, {"car": None}), "confusions": confusions(0, 0.5)}
    )[0],
}
FILES = {"evaluate": "images.csv", "detect": "matches.npz", "segment": "per-image.npz"}


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
    found, expected = DetectionScores.load(tmp_path / "detect").matches, random_matches(1)
    assert found.stems == expected.stems
    np.testing.assert_array_equal(found.confidence, expected.confidence)
    found = SegmentationScores.load(tmp_path / "segment").confusions
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
    assert score_folder("segment", "a", "b", PLOTS, 7).as_posix() == "plots/segment-a-b-7"


def test_stages_and_folders_are_spelled_as_in_dvc_yaml():
    settings = load(ROOT / "params.yaml")
    written = {
        stage.addressing: {Path(out.fs_path) for out in stage.outs}
        for stage in Repo(str(ROOT)).index.stages
        if stage.addressing.startswith(("evaluate@", "detect@", "segment@"))
    }
    names = [name for method in settings.methods for name in settings.measuring_stages(method)]
    assert sorted(names) == sorted(written)
    for stage, dataset, seed in (("evaluate", "msrs", None), ("detect", "m3fd", 0)):
        name = stage_name(stage, "pomai", dataset, seed)
        assert ROOT / score_folder(stage, "pomai", dataset, SCORES, seed) in written[name]


def test_predicted_labels_come_back_whatever_the_images_are_called(tmp_path):
    names = ["file", "allow_pickle", "args", "00001N", "label-1"]
    predicted = {name: np.full((3, 4), place, np.uint8) for place, name in enumerate(names)}
    PredictedLabels.save(tmp_path / "labels.npz", predicted)
    found = PredictedLabels(tmp_path / "labels.npz")
    for name, label in predicted.items():
        np.testing.assert_array_equal(found[name], label)


def test_predicted_labels_that_are_missing_or_damaged_are_named(tmp_path):
    with pytest.raises(InputError, match=r"labels.npz: is missing; run `dvc repro`"):
        PredictedLabels(tmp_path / "labels.npz")["a"]
    (tmp_path / "labels.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"labels.npz: is damaged .*; run `dvc repro`"):
        PredictedLabels(tmp_path / "labels.npz")["a"]
    PredictedLabels.save(tmp_path / "labels.npz", {"a": np.zeros((2, 2), np.uint8)})
    with pytest.raises(InputError, match=r"labels.npz: is damaged .*b is not a file"):
        PredictedLabels(tmp_path / "labels.npz")["b"]


def test_predicted_labels_are_opened_once(tmp_path, monkeypatch):
    predicted = {str(number): np.zeros((2, 2), np.uint8) for number in range(9)}
    PredictedLabels.save(tmp_path / "labels.npz", predicted)
    found, opened = PredictedLabels(tmp_path / "labels.npz"), []
    load_file = np.load
    monkeypatch.setattr(np, "load", lambda *a, **k: opened.append(a) or load_file(*a, **k))
    assert [found[stem].shape for stem in predicted] == [(2, 2)] * 9
    assert len(opened) == 1


def test_images_may_be_called_like_missing_values(tmp_path):
    frame = FRAME.assign(name=["nan", "null"])
    FusionScores.of(frame, stretch=True).save(tmp_path)
    pd.testing.assert_frame_equal(FusionScores.load(tmp_path).images, frame)
