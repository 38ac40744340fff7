"""Both images of a pair as one of four channels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fusion.images.decode import read_infrared, read_visible, to_rgb, write_image
from fusion.images.pairs import Pair
from fusion.images.stacked import channels_of, filters_with_infrared, read_input, stack_pairs


@pytest.mark.parametrize("colored", [True, False])
def test_a_stacked_file_has_both_images_unchanged(tmp_path, colored):
    """Also where infrared is 0, which an alpha channel would call transparent."""
    rng = np.random.default_rng(0)
    pair = Pair("a", tmp_path / "ir.png", tmp_path / "vi.png")
    write_image(pair.infrared, rng.integers(0, 3, (20, 30), dtype=np.uint8))
    write_image(pair.visible, rng.integers(0, 256, (20, 30, *[3] * colored), dtype=np.uint8))
    stack_pairs([pair], tmp_path / "stacked")
    stacked = read_input(tmp_path / "stacked/a.png")
    assert (stacked[..., :3] == to_rgb(read_visible(pair.visible).pixels)).all()
    assert (stacked[..., 3] == read_infrared(pair.infrared).pixels).all()
    assert channels_of(tmp_path / "stacked/a.png") == 4


@pytest.mark.parametrize("colors", [(), (3,)])
def test_a_fused_image_has_three_channels(tmp_path, colors):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, *colors), dtype=np.uint8)
    write_image(tmp_path / "fused.png", pixels)
    assert channels_of(tmp_path / "fused.png") == 3
    assert (read_input(tmp_path / "fused.png") == to_rgb(pixels)).all()


def test_filters_respond_to_a_gray_image_as_before():
    filters = torch.randn(5, 3, 3, 3, dtype=torch.float64)
    gray = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    before = F.conv2d(gray.expand(-1, 3, -1, -1), filters)
    after = F.conv2d(gray.expand(-1, 4, -1, -1), filters_with_infrared(filters))
    torch.testing.assert_close(after, before)
