"""A rig's transform is found from its pairs, and refused where they do not support it."""

import numpy as np
import pytest

from fusion.alignment.estimate import estimate
from fusion.alignment.grid import View
from fusion.alignment.transforms import corner_distance, resizing
from fusion.alignment.warp import Area, warp
from tests.fusion.alignment.scenes import scene

VISIBLE, INFRARED = (160, 200), (96, 128)
WIDE = 40  # pixels that the made scenes extend beyond the visible image


def true_rig():
    """A thermal camera that sees 80 % of the view, turned by 2 degrees and off center."""
    angle, scale = np.deg2rad(2), 128 / (0.8 * 200)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn, np.array([63.5, 47.5]) - turn @ np.array([104.0, 76.0])
    matrix[2, :2] = 1e-4, -5e-5
    return matrix


def rig_views(count, mixed=False):
    views = []
    for seed in range(count):
        infrared, visible = scene(seed, VISIBLE[0] + 2 * WIDE, VISIBLE[1] + 2 * WIDE)
        if mixed:
            infrared = scene(seed + 100, VISIBLE[0] + 2 * WIDE, VISIBLE[1] + 2 * WIDE)[0]
        inner = np.array([[1, 0, WIDE], [0, 1, WIDE], [0, 0, 1.0]])
        seen = warp(infrared, inner @ np.linalg.inv(true_rig()), Area(0, 0, *INFRARED[::-1]))
        views.append(View(seen, np.ascontiguousarray(visible[WIDE:-WIDE, WIDE:-WIDE])))
    return views


@pytest.mark.slow
def test_the_rig_is_found_to_a_pixel():
    found = estimate(rig_views(9))
    assert found.verdict == "improved"
    assert corner_distance(found.start, true_rig(), VISIBLE) > 15
    assert corner_distance(found.matrix, true_rig(), VISIBLE) < 1
    assert found.after.mean > 2 * found.before.mean


def test_a_transform_that_held_out_pairs_do_not_support_is_refused():
    views = rig_views(9, mixed=True)
    assert estimate(views, lambda _: true_rig()).verdict == "refused"


def test_a_finder_that_finds_nothing_leaves_resizing_to_be_checked():
    assert estimate(rig_views(9), lambda _: None).verdict == "refused"
    aligned = [View(*scene(seed)) for seed in range(9)]
    found = estimate(aligned, lambda _: None)
    assert found.verdict == "resized"
    np.testing.assert_array_equal(found.matrix, resizing(VISIBLE, VISIBLE))


def test_a_worse_transform_than_resizing_is_not_taken():
    aligned = [View(*scene(seed)) for seed in range(9)]
    wrong = np.array([[1, 0, 5], [0, 1, 0], [0, 0, 1.0]])
    assert estimate(aligned, lambda _: wrong).verdict == "resized"


def test_few_pairs_are_refused():
    with pytest.raises(ValueError, match="8 pairs are fewer than 9"):
        estimate(rig_views(8))
