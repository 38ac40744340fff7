"""Transforms fitted to points, and which kind is chosen."""

import numpy as np
import pytest

from fusion.alignment.points import NotDeterminedError, select_transform
from fusion.alignment.transforms import FEWEST_POINTS, corner_distance, fit, project, resizing

TRANSFORMS = {
    "shift": [[1, 0, 9], [0, 1, -4], [0, 0, 1]],
    "similarity": [[0.5, -0.1, 20], [0.1, 0.5, -8], [0, 0, 1]],
    "affine": [[0.5, -0.1, 20], [0.05, 0.7, -8], [0, 0, 1]],
    "homography": [[0.5, -0.1, 20], [0.05, 0.7, -8], [1e-4, 2e-4, 1]],
}


def points(count, seed=0):
    return np.random.default_rng(seed).uniform(0, 500, (count, 2))


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_exact_points_give_the_transform_itself(kind):
    matrix, source = np.array(TRANSFORMS[kind], float), points(FEWEST_POINTS[kind])
    np.testing.assert_allclose(fit(kind, source, project(matrix, source)), matrix, atol=1e-6)


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_no_small_change_of_a_fitted_transform_fits_noisy_points_better(kind):
    source, random = points(20), np.random.default_rng(1)
    target = project(np.array(TRANSFORMS[kind], float), source) + random.normal(0, 2, (20, 2))
    weights = random.uniform(0.1, 1, 20)

    def loss(moved):
        return (weights * ((moved - target) ** 2).sum(1)).sum()

    fitted = fit(kind, source, target, weights)
    best = loss(project(fitted, source))
    sides = {"shift": [1, 0], "similarity": [1, 1]}.get(kind)
    for change in (1e-3, -1e-3):
        changed = fitted.copy()
        changed[0, 2] += 100 * change
        assert loss(project(changed, source)) > best
        if sides is None:
            changed = fitted.copy()
            changed[0, 1] += change
            assert loss(project(changed, source)) > best
        if kind == "homography":
            changed = fitted.copy()
            changed[2, 0] += change / 100
            assert loss(project(changed, source)) > best


def test_points_on_a_line_determine_no_affine_transform():
    line = np.column_stack([np.arange(5.0), np.arange(5.0)])
    for kind in ("affine", "homography"):
        with pytest.raises(ValueError, match="do not determine"):
            fit(kind, line, line)
    assert select_transform(line, line + np.array([3, 4])).kind in {"shift", "similarity"}


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_the_kind_that_made_the_points_is_chosen(kind):
    source = points(30)
    noise = np.random.default_rng(2).normal(0, 0.05, (30, 2))
    target = project(np.array(TRANSFORMS[kind], float), source) + noise
    assert select_transform(source, target).kind == kind


def test_a_wrong_point_stands_out_when_it_is_left_out():
    source = points(9)
    target = source + np.array([5, 5])
    target[4, 0] += 30
    found = select_transform(source, target)
    assert found.left_out.argmax() == 4
    assert found.left_out[4] >= 30 - 1e-9
    assert (found.left_out >= found.residuals - 1e-9).all()


def test_a_single_point_and_points_that_coincide_are_refused():
    for source in (points(1), np.full((4, 2), 7.0)[:1]):
        with pytest.raises(NotDeterminedError):
            select_transform(source, source)


def test_resizing_keeps_the_borders_of_the_image():
    matrix = resizing((100, 200), (50, 400))
    borders = np.array([[-0.5, -0.5], [199.5, 99.5]])
    np.testing.assert_allclose(project(matrix, borders), [[-0.5, -0.5], [399.5, 49.5]])


def test_corner_distance_is_the_mean_over_the_four_corners():
    shifted = np.array([[1, 0, 3], [0, 1, 4], [0, 0, 1.0]])
    assert corner_distance(np.eye(3), shifted, (20, 30)) == pytest.approx(5)
