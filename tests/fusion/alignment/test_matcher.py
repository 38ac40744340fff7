"""Transforms from matched points, also by the package vismatch where it is installed."""

import numpy as np
import pytest

from fusion.alignment.grid import View
from fusion.alignment.matcher import MatchingError, load_matcher, match_views
from fusion.alignment.transforms import corner_distance
from fusion.core.errors import InputError
from tests.fusion.alignment.scenes import scene

SHIFT = np.array([[1, 0, 12], [0, 1, -7], [0, 0, 1.0]])
FLAT = np.full((120, 150), 30, np.uint8)


def moved_view(seed):
    """One sensor's image twice, the second moved by `SHIFT`."""
    image = scene(seed)[1]
    return View(
        np.ascontiguousarray(image[17:137, 8:158]), np.ascontiguousarray(image[10:130, 20:170])
    )


def points_of(visible, infrared):
    if not np.ptp(visible):
        raise MatchingError("no keypoints")
    points = np.mgrid[10:100:10, 10:100:10].reshape(2, -1).T.astype(float)
    return points, points + np.array([12, -7])


def test_a_pair_on_which_the_matcher_fails_counts_as_one_without_points():
    views = [View(FLAT, FLAT), moved_view(0), moved_view(1)]
    found = match_views(views, points_of)
    np.testing.assert_allclose(found, SHIFT, atol=1e-6)


def test_a_matcher_that_fails_on_every_pair_is_named_with_its_reason():
    with pytest.raises(InputError, match=r"--matcher: fails on every pair \(no keypoints\)"):
        match_views([View(FLAT, FLAT)] * 3, points_of)


def test_points_of_vismatch_are_visible_first_in_pixels(monkeypatch):
    """By SIFT, which has no weights to download; a flat image makes it fail."""
    pytest.importorskip("vismatch")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    matcher = load_matcher("sift-nn")
    views = [moved_view(0), View(moved_view(0).infrared, FLAT), moved_view(1)]
    found = match_views(views, matcher)
    assert corner_distance(found, SHIFT, FLAT.shape) < 1
    with pytest.raises(MatchingError):
        matcher(views[0].visible, FLAT)
