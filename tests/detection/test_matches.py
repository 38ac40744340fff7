from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.matches import RECALLS, Matches, average_precision, precision_recall
from detection.offline import go_offline

COLUMNS = ("image", "label", "confidence", "correct", "boxes")


def random_matches(seed, images=12, classes=3, quality=0.5, truth=None):
    """Detections without a detector: right with probability `quality`, surer when right."""
    rng = np.random.default_rng(seed)
    if truth is None:
        truth = np.random.default_rng(99).integers(0, 4, (images, classes))
    rows = []
    for image in range(images):
        for label in range(classes):
            for _ in range(truth[image, label]):
                if rng.random() < quality:
                    limit = rng.integers(1, 11)
                    rows.append((image, label, rng.beta(4, 2), np.arange(10) < limit))
            for _ in range(rng.integers(0, 3)):
                rows.append((image, label, rng.beta(2, 4), np.zeros(10, bool)))
    columns = list(zip(*rows, strict=True))
    return Matches(
        stems=[f"{index:05d}" for index in range(images)],
        truth=truth,
        image=np.array(columns[0]),
        label=np.array(columns[1]),
        confidence=np.array(columns[2], np.float32),
        correct=np.array(columns[3]),
        boxes=rng.uniform(0, 100, (len(rows), 4)).astype(np.float32),
    )


def drawn_twice(matches, counts):
    """The same resample as real copies of images: what weights stand for."""
    copies = np.repeat(np.arange(len(counts)), counts)
    picks = [np.flatnonzero(matches.image == image) for image in copies]
    chosen = np.concatenate(picks)
    return Matches(
        stems=[str(index) for index in range(len(copies))],
        truth=matches.truth[copies],
        image=np.repeat(np.arange(len(copies)), [len(pick) for pick in picks]),
        label=matches.label[chosen],
        confidence=matches.confidence[chosen],
        correct=matches.correct[chosen],
        boxes=matches.boxes[chosen],
    )


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_ultralytics(seed, tmp_path):
    go_offline(tmp_path)
    from ultralytics.utils.metrics import ap_per_class

    matches = random_matches(seed)
    labels = np.concatenate([np.repeat(np.arange(3), row) for row in matches.truth])
    theirs = ap_per_class(matches.correct, matches.confidence, matches.label, labels)[5]
    ours = [average_precision(matches, threshold=index)[0] for index in range(10)]
    np.testing.assert_allclose(np.transpose(ours), theirs, atol=1e-9)


def test_average_precision_by_hand():
    """One of two objects found, after one false alarm: precision 1/2 up to recall 1/2."""
    matches = Matches(
        stems=["a"],
        truth=np.array([[2, 0]]),
        image=np.array([0, 0]),
        label=np.array([0, 0]),
        confidence=np.array([0.9, 0.8], np.float32),
        correct=np.array([[False] * 10, [True] * 10]),
        boxes=np.zeros((2, 4), np.float32),
    )
    precision = average_precision(matches)
    assert precision[0, 0] == pytest.approx(0.25, abs=0.01)
    assert np.isnan(precision[0, 1])


@pytest.mark.parametrize("label", [0, 2])
def test_a_class_that_is_never_detected_has_a_precision_of_zero(tmp_path, label):
    go_offline(tmp_path)
    from ultralytics.utils.metrics import ap_per_class

    full = random_matches(0)
    kept = full.label != label
    columns = {name: getattr(full, name)[kept] for name in COLUMNS}
    matches = replace(full, **columns)
    labels = np.concatenate([np.repeat(np.arange(3), row) for row in matches.truth])
    theirs = ap_per_class(matches.correct, matches.confidence, matches.label, labels)[5]
    np.testing.assert_allclose(average_precision(matches)[0], theirs[:, 0], atol=1e-9)
    assert average_precision(matches)[0, label] == 0


def test_the_area_under_a_precision_recall_curve_is_the_average_precision():
    matches = random_matches(3)
    curves = precision_recall(matches)
    assert curves.shape == (3, 101)
    assert (np.diff(curves) <= 1e-12).all()
    areas = ((curves[:, 1:] + curves[:, :-1]) / 2 * np.diff(RECALLS)).sum(1)
    np.testing.assert_allclose(areas, average_precision(matches)[0])
    without = replace(matches, truth=matches.truth * [1, 0, 1])
    assert np.isnan(precision_recall(without)).all(1).tolist() == [False, True, False]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_counts_stand_for_copies_of_images(seed):
    matches = random_matches(seed)
    counts = np.random.default_rng(seed).integers(0, 3, 12)
    weighted = average_precision(matches, counts[None])[0]
    copied = average_precision(drawn_twice(matches, counts))[0]
    # Copies tie in confidence; weights treat ties as one step, copies as several.
    np.testing.assert_allclose(weighted, copied, atol=0.03)
    assert (np.isnan(weighted) == (counts @ matches.truth == 0)).all()


def test_the_files_hold_everything(tmp_path):
    matches = random_matches(0)
    matches.save(tmp_path / "matches.npz")
    loaded = Matches.load(tmp_path / "matches.npz")
    assert loaded.stems == matches.stems
    for name in ("truth", "image", "label", "confidence", "correct"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(matches, name))
