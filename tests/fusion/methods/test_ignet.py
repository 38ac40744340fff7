import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from fusion.core.errors import InputError
from fusion.inference.fuse import explained
from fusion.inference.tiles import Tiling, fuse_in_tiles
from fusion.methods.ignet.config import IGNetConfig
from fusion.methods.ignet.graph import MessagePassing
from fusion.methods.ignet.method import IGNet
from fusion.methods.ignet.published import NAMES, convert
from tests.fusion.methods.published import (
    committed,
    grid_of,
    needs_reference,
    published_shapes,
    sine_inputs,
    sine_rule,
    stored,
)
from tests.fusion.toys import pair, parameters, randomized, state

TINY = IGNetConfig(width=64, cascade=[8, 4, 2])
FIXTURES = {"image": "fused_batch", "running": "fused_running"}


@pytest.fixture(scope="module")
def weights():
    shapes = published_shapes(IGNet(IGNetConfig()), NAMES)
    return convert(sine_rule(shapes)).weights


@pytest.fixture
def tiny():
    network = randomized(IGNet(TINY))
    with torch.no_grad():
        network.last.bias.fill_(0.5)
    return network


@torch.inference_mode()
def drawn(weights, statistics):
    network = IGNet(IGNetConfig(statistics=statistics)).eval()
    network.load_state_dict(weights)
    return network.fuse(*sine_inputs())


def test_network_has_the_published_number_of_parameters():
    assert parameters(IGNet(IGNetConfig())) == 7_871_327


@pytest.mark.parametrize("statistics", FIXTURES)
def test_network_draws_what_the_authors_does(weights, statistics):
    expected = committed("ignet")[FIXTURES[statistics]]
    np.testing.assert_allclose(grid_of(drawn(weights, statistics)), expected, atol=1e-5)


@needs_reference
@pytest.mark.parametrize("statistics", FIXTURES)
def test_network_draws_every_stored_pixel(weights, statistics):
    expected = stored("ignet")[FIXTURES[statistics]]
    torch.testing.assert_close(drawn(weights, statistics), expected, atol=1e-5, rtol=0)


def test_gates_of_messages_interleave():
    """Channel j of what arrives is gated by gate j mod 2."""
    layer = randomized(MessagePassing(2), std=1.0)
    nodes = torch.randn(1, 3, 2, 4, 5)
    expected = nodes
    for _ in range(2):
        received = []
        for node, (first, second) in enumerate([(1, 2), (0, 2), (0, 1)]):
            own, others = expected[:, node], torch.cat([expected[:, first], expected[:, second]], 1)
            edges = F.conv2d(torch.cat([own, own], 1) - others, layer.edge.weight, groups=2)
            passed = [others[:, j] * torch.sigmoid(edges[:, j % 2]) for j in range(4)]
            message = torch.stack([passed[0] + passed[2], passed[1] + passed[3]], dim=1)
            received.append(own + layer.gain * layer.update(message, own))
        expected = torch.stack(received, dim=1)
    torch.testing.assert_close(layer(nodes), expected)


def test_messages_change_nothing_before_training():
    nodes = torch.randn(2, 3, 4, 5, 6)
    torch.testing.assert_close(MessagePassing(4)(nodes), nodes, rtol=0, atol=0)


@torch.inference_mode()
def test_images_of_a_batch_are_normalized_alone_and_leave_no_trace(tiny):
    infrared, visible = pair(24, 32, batch=3)
    before = state(tiny)
    together = tiny(infrared, visible)
    for i in range(3):
        alone = tiny(infrared[i : i + 1], visible[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


@torch.inference_mode()
def test_other_sizes_are_padded_with_their_last_pixels(tiny):
    infrared, visible = pair(17, 29)
    padded = [F.pad(image, (0, 3, 0, 7), mode="replicate") for image in (infrared, visible)]
    torch.testing.assert_close(tiny(infrared, visible), tiny(*padded)[..., :17, :29])


def test_tiles_are_refused_in_words(tiny, tmp_path):
    message = r"a\.png: an image of 40×32 pixels does not fit .* raise --memory"
    with pytest.raises(InputError, match=message), explained(tmp_path / "a.png"):
        fuse_in_tiles(tiny, *pair(32, 40), Tiling(side=32, overlap=16))


def test_a_node_of_no_whole_width_is_refused():
    with pytest.raises(ValidationError, match="multiple of 64"):
        IGNetConfig(width=100)
