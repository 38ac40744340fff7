import numpy as np
import pytest
import torch

from fusion.inference.tiles import Tiling, fuse_in_tiles
from fusion.methods.bdlfusion.config import BDLFusionConfig
from fusion.methods.bdlfusion.method import BDLFusion
from fusion.methods.bdlfusion.published import NAMES, convert
from tests.fusion.methods.published import (
    committed,
    grid_of,
    needs_reference,
    published_shapes,
    sine_inputs,
    sine_rule,
    stored,
)
from tests.fusion.toys import pair, parameters, randomized


@pytest.fixture(scope="module")
def filled():
    """Filled from a checkpoint of the whole training, as the authors save it."""
    network = BDLFusion(BDLFusionConfig()).eval()
    filled = sine_rule(published_shapes(network, NAMES))
    checkpoint = {f"enhance_net.{name}": value for name, value in filled.items()}
    checkpoint["discriminator.net.0.weight"] = torch.zeros(64, 1, 1, 1)
    network.load_state_dict(convert(checkpoint).weights)
    return network


def test_network_has_the_published_number_of_parameters():
    assert parameters(BDLFusion(BDLFusionConfig())) == 417_730


@torch.inference_mode()
def test_network_draws_what_the_authors_does(filled):
    drawn = grid_of(filled.fuse(*sine_inputs()))
    np.testing.assert_allclose(drawn, committed("bdlfusion")["fused"], atol=1e-5)


@needs_reference
@torch.inference_mode()
def test_network_draws_every_stored_pixel(filled):
    drawn = filled.fuse(*sine_inputs())
    torch.testing.assert_close(drawn, stored("bdlfusion")["fused"], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_luminance_is_fused_and_clipped(filled):
    infrared, visible = pair(24, 31, batch=2)
    gray = 0.299 * visible[:, :1] + 0.587 * visible[:, 1:2] + 0.114 * visible[:, 2:]
    drawn = filled.fuse(infrared, gray)
    assert (drawn < 0).any()
    assert (drawn > 1).any()
    expected = torch.where(drawn < 0, torch.zeros_like(drawn), torch.where(drawn > 1, 1.0, drawn))
    torch.testing.assert_close(filled(infrared, visible), expected)


@torch.inference_mode()
def test_smallest_images_are_fused(filled):
    assert filled(*pair(16, 16)).shape == (1, 1, 16, 16)


@torch.inference_mode()
def test_tiles_change_nothing():
    network = randomized(BDLFusion(BDLFusionConfig(channels=4, growth=2)))
    images = pair(112, 192)
    tiled = fuse_in_tiles(network, *images, Tiling(side=144, overlap=96))
    torch.testing.assert_close(tiled, network(*images), atol=1e-6, rtol=0)
