import numpy as np
import pytest

from fusion.images.panels import side_by_side, spread


@pytest.mark.parametrize("total", [1, 2, 7, 100])
@pytest.mark.parametrize("count", [0, 1, 2, 6, 200])
def test_items_are_spread_over_all_and_none_is_shown_twice(total, count):
    shown = spread(range(total), count)
    assert len(shown) == min(count, total)
    assert shown == sorted(set(shown))
    if len(shown) > 1:
        assert (shown[0], shown[-1]) == (0, total - 1)
        assert np.ptp(np.diff(shown)) <= 1


def test_panels_keep_their_pixels_below_their_captions():
    first, second = np.zeros((20, 30, 3), np.uint8), np.full((20, 50, 3), 7, np.uint8)
    row = side_by_side({"first": first, "second": second})
    assert row.shape == (20 + 18, 30 + 4 + 50, 3)
    np.testing.assert_array_equal(row[18:, :30], first)
    np.testing.assert_array_equal(row[18:, 34:], second)
    assert (row[:, 30:34] == 255).all()
    assert (row[:18, :30] < 128).any()
