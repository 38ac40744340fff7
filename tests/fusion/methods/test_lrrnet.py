import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from fusion.inference.tiles import Tiling, WholeImageError, fuse_in_tiles, plan_memory
from fusion.methods.lrrnet.config import LRRNetConfig
from fusion.methods.lrrnet.method import LRRNet
from fusion.methods.lrrnet.network import Coder, stretch
from fusion.methods.lrrnet.published import convert, published_names
from tests.fusion.methods.published import (
    PAIRS,
    committed,
    grid_of,
    load_converted,
    needs_pairs,
    noise_inputs,
    noise_rule,
    pair_of,
    published_shapes,
    reference,
    rgb,
    share_apart,
    stored,
)
from tests.fusion.toys import pair, parameters, randomized

TINY = LRRNetConfig(channels=4, steps=2)


def ruled():
    shapes = published_shapes(LRRNet(LRRNetConfig()), published_names())
    return load_converted(LRRNet, convert(noise_rule(shapes, 0.3)))


def test_published_network_has_the_published_numbers_of_parameters():
    with torch.device("meta"):
        network = LRRNet(LRRNetConfig())
    parts = (network, network.infrared, network.visible, network.decoder)
    assert [parameters(part) for part in parts] == [49_204, 22_277, 22_277, 4_650]


def test_network_under_the_rule_gives_the_published_numbers():
    infrared, visible = noise_inputs(33, 47)
    with torch.inference_mode():
        fused = ruled()(infrared, rgb(visible))
    assert grid_of(fused) == pytest.approx(committed("lrrnet")["fused"], abs=1e-5)


@needs_pairs
@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_published_weights_draw_the_published_picture(name):
    """The authors' reading and saving: OpenCV's gray, truncation; stretched and not."""
    network = load_converted(LRRNet, convert(stored("lrrnet", "weights")))
    infrared, visible = pair_of(name, "opencv")
    with torch.inference_mode():
        raw = network.fuse(infrared, visible[:, :1])
    folder = reference("lrrnet")
    picture = folder / "reference_stretched" / f"{name}.png"
    assert share_apart(stretch(raw), picture, truncated=True) <= 0.001
    assert share_apart(raw.clamp(0, 1), folder / "reference" / f"{name}.png") <= 0.001


def test_a_code_is_shrunk_by_every_step_as_published():
    torch.manual_seed(0)
    coder = randomized(Coder(TINY))
    coder.threshold.data[0] = -0.1  # makes what is not zero grow
    image = pair(20, 24)[0]

    def convolved(layer, features):
        return F.conv2d(F.pad(features, (1, 1, 1, 1), mode="reflect"), layer.weight, layer.bias)

    def shrunk(code):
        return torch.sign(code) * torch.relu(code.abs() - coder.threshold)

    code = shrunk(convolved(coder.start, image))
    for step in coder.steps:
        residual = image - convolved(step.synthesis, code)
        code = shrunk(coder.momentum * code + convolved(step.analysis, residual))
    torch.testing.assert_close(coder(image), code)


def test_tiles_are_the_whole_image(monkeypatch):
    """Every part of the picture, corners and last tiles included, to rounding."""
    network = randomized(LRRNet(TINY), std=0.5)
    infrared, visible = pair(97, 141)
    whole = network(infrared, visible)
    monkeypatch.setattr("fusion.methods.lrrnet.network.TILE", 32)
    tiled = network(infrared, visible)
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)
    monkeypatch.setattr(network, "reach", network.reach - 2)
    assert not torch.allclose(network(infrared, visible), whole, atol=1e-5, rtol=0)


def test_memory_does_not_limit_the_size_of_an_image():
    plan = plan_memory(0.5, LRRNet(TINY), torch.device("cpu"))
    assert plan.tiling(2000, 3000) is None
    with pytest.raises(WholeImageError):
        fuse_in_tiles(LRRNet(TINY), *pair(32, 32), Tiling(16))


@settings(max_examples=8, deadline=None)
@given(st.integers(16, 45), st.integers(16, 45))
def test_any_size_in_the_same_size_out_over_the_full_range(height, width):
    network = randomized(LRRNet(TINY), std=0.5)
    with torch.inference_mode():
        fused = network(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert fused.amin((1, 2, 3)).tolist() == [0, 0]
    assert fused.amax((1, 2, 3)).tolist() == pytest.approx([1, 1], abs=1e-3)


def test_brightness_and_contrast_of_the_sources_do_not_matter():
    network = randomized(LRRNet(TINY), std=0.5)
    infrared, visible = pair(32, 32)
    darker = network(0.2 * infrared + 0.1, 0.5 * visible)
    torch.testing.assert_close(darker, network(infrared, visible), atol=1e-3, rtol=0)


def test_a_flat_source_counts_as_black():
    network = randomized(LRRNet(TINY), std=0.5)
    infrared, visible = pair(32, 32)
    gray, black = torch.full_like(infrared, 0.5), torch.zeros_like(infrared)
    torch.testing.assert_close(network(gray, visible), network(black, visible))


def test_files_of_parallel_training_are_read_too():
    weights = noise_rule(published_shapes(LRRNet(LRRNetConfig()), published_names()), 0.3)
    plain = convert(weights).weights
    parallel = convert({f"module.{name}": value for name, value in weights.items()}).weights
    assert all(torch.equal(plain[name], parallel[name]) for name in plain)
