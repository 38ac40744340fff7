"""Warping without aliasing, and the area that two images share."""

import numpy as np
import pytest

from fusion.alignment.transforms import project, resizing
from fusion.alignment.warp import Area, common_area, warp


def test_a_shift_by_whole_pixels_moves_pixels_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
    shift = np.array([[1, 0, 6], [0, 1, 3], [0, 0, 1.0]])
    moved = warp(image, shift, Area(2, 4, 30, 20))
    np.testing.assert_array_equal(moved, image[7:27, 8:38])


def test_detail_finer_than_the_new_pixels_becomes_gray_not_stripes():
    stripes = np.tile(np.array([0, 0, 255, 255], np.uint8), (200, 60))
    reduced = warp(stripes, resizing((40, 48), (200, 240)), Area(0, 0, 48, 40))
    assert abs(float(reduced[5:-5, 5:-5].mean()) - 127.5) < 3
    assert float(reduced[5:-5, 5:-5].std()) < 12
    plain = stripes[::5, ::5]
    assert float(plain.std()) > 100


def test_color_is_warped_channel_by_channel():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    matrix, area = resizing((20, 25), (40, 50)), Area(0, 0, 25, 20)
    red = warp(np.ascontiguousarray(image[..., 0]), matrix, area)
    np.testing.assert_array_equal(warp(image, matrix, area)[..., 0], red)


@pytest.mark.parametrize("seed", range(5))
def test_the_common_area_is_inside_both_images_and_no_larger_one_is(seed):
    random = np.random.default_rng(seed)
    angle, scale = random.uniform(-0.2, 0.2), random.uniform(0.4, 0.8)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn, random.uniform(-20, 30, 2)
    matrix[2, :2] = random.uniform(-2e-4, 2e-4, 2)
    area = common_area(matrix, (120, 160), (60, 70))

    def fits(left, top, right, bottom):
        rectangle = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
        x, y = project(matrix, rectangle).T
        on_visible = min(left, top) >= 0 and right <= 159 and bottom <= 119
        return on_visible and bool(
            (x >= -0.52).all() & (x <= 69.52).all() & (y >= -0.52).all() & (y <= 59.52).all()
        )

    left, top = area.left, area.top
    right, bottom = left + area.width - 1, top + area.height - 1
    assert fits(left, top, right, bottom)
    larger = [
        (width + 1) * (height + 1)
        for x in range(0, 160, 16)
        for y in range(0, 120, 16)
        for width in range(20, 160 - x, 16)
        for height in range(20, 120 - y, 16)
        if fits(x, y, x + width, y + height)
    ]
    assert max(larger) <= (area.width + 1) * (area.height + 1)


def test_images_of_one_view_share_all_pixels_whatever_their_sizes():
    for other in ((120, 160), (60, 80), (333, 444)):
        area = common_area(resizing((120, 160), other), (120, 160), other)
        assert area == Area(0, 0, 160, 120)


def test_images_that_share_nothing_have_no_common_area():
    apart = np.array([[1, 0, 500], [0, 1, 0], [0, 0, 1.0]])
    assert common_area(apart, (100, 100), (100, 100)) is None
    horizon = np.array([[1, 0, 0], [0, 1, 0], [-0.02, 0, 1.0]])
    assert common_area(horizon, (100, 100), (100, 100)) is None
