import numpy as np
import pytest
import torch

from fusion.inference.tiles import Tiling, fuse_in_tiles
from fusion.methods.caf.config import CAFConfig
from fusion.methods.caf.method import CAF
from fusion.methods.caf.published import NAMES, convert
from tests.fusion.methods.published import (
    PAIRS,
    committed,
    grid_of,
    needs_pairs,
    needs_reference,
    noise_inputs,
    noise_rule,
    pair_of,
    published_shapes,
    reference,
    share_apart,
    stored,
)
from tests.fusion.toys import pair, parameters

SIZES = [(48, 64), (33, 47)]


@pytest.fixture(scope="module")
def filled():
    network = CAF(CAFConfig()).eval()
    weights = convert(noise_rule(published_shapes(network, NAMES), 1.0)).weights
    network.load_state_dict(weights)
    return network


@pytest.fixture(scope="module")
def published():
    """A function that loads one of the authors' files."""

    def load(name):
        converted = convert(stored("caf", name))
        network = CAF(CAFConfig()).eval()
        network.load_state_dict(converted.weights)
        return network, converted.variant

    return load


def test_network_has_the_published_number_of_parameters():
    assert parameters(CAF(CAFConfig())) == 148_321


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_network_draws_what_the_authors_does(filled, size):
    drawn = filled.fuse(*noise_inputs(*size))
    expected = committed("caf")["output_{}x{}".format(*size)]
    np.testing.assert_allclose(grid_of(drawn), expected, atol=1e-5)


@needs_reference
@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_network_draws_every_stored_pixel(filled, size):
    expected = stored("caf")["output_{}x{}".format(*size)]
    torch.testing.assert_close(filled.fuse(*noise_inputs(*size)), expected, atol=1e-5, rtol=0)


@needs_pairs
@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
@torch.inference_mode()
def test_published_weights_draw_the_published_pictures(published, name):
    network, _ = published("weights")
    picture = reference("caf") / "reference" / f"{name}.png"
    assert share_apart(network(*pair_of(name)), picture, truncated=True) <= 0.001


@needs_reference
@pytest.mark.parametrize(
    ("name", "variant"), [("weights", "detection"), ("weights_seg", "segmentation")]
)
def test_published_files_are_told_apart(published, name, variant):
    assert published(name)[1] == variant


def test_weights_of_somebody_else_have_no_variant(filled):
    checkpoint = noise_rule(published_shapes(filled, NAMES), 0.5)
    assert convert(checkpoint).variant == ""


@torch.inference_mode()
def test_luminance_is_fused_and_clipped(filled):
    infrared, visible = pair(24, 31, batch=2)
    gray = 0.299 * visible[:, :1] + 0.587 * visible[:, 1:2] + 0.114 * visible[:, 2:]
    drawn = filled.fuse(infrared, gray)
    assert (drawn < 0).any()
    expected = torch.where(drawn < 0, torch.zeros_like(drawn), drawn)
    torch.testing.assert_close(filled(infrared, visible), expected)


@torch.inference_mode()
def test_smallest_images_are_fused(filled):
    assert filled(*pair(16, 16)).shape == (1, 1, 16, 16)


@torch.inference_mode()
def test_tiles_change_nothing(filled):
    images = pair(96, 128)
    tiled = fuse_in_tiles(filled, *images, Tiling(side=64, overlap=32))
    torch.testing.assert_close(tiled, filled(*images), atol=1e-6, rtol=0)
