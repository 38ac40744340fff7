import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from fusion.methods.umf.config import UMFConfig
from fusion.methods.umf.method import UMF
from fusion.methods.umf.network import Interaction
from fusion.methods.umf.published import convert, published_names
from tests.fusion.methods.published import (
    PAIRS,
    committed,
    grid_of,
    load_converted,
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
from tests.fusion.toys import pair, parameters, randomized

TINY = UMFConfig(channels=8, layers=2)


def ruled_weights():
    return noise_rule(published_shapes(UMF(UMFConfig()), published_names()), 0.5)


def ruled():
    return load_converted(UMF, convert(ruled_weights()))


def test_published_network_has_the_published_number_of_parameters():
    with torch.device("meta"):
        network = UMF(UMFConfig())
    assert parameters(network) == 629_253
    assert parameters(network.infrared.dense) == 237_568
    assert len(published_names()) == 24


def test_network_under_the_rule_gives_the_published_numbers():
    with torch.inference_mode():
        fused = ruled().fuse(*noise_inputs(33, 47))
    assert grid_of(fused) == pytest.approx(committed("umf")["fused"], abs=1e-5)


@needs_reference
@pytest.mark.parametrize(("height", "width"), [(48, 64), (33, 47)])
def test_network_under_the_rule_gives_the_published_output(height, width):
    with torch.inference_mode():
        fused = ruled().fuse(*noise_inputs(height, width))
    expected = stored("umf")[f"output_{height}x{width}"]
    torch.testing.assert_close(fused, expected, atol=1e-5, rtol=0)


@needs_pairs
@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_published_weights_draw_the_published_picture(name):
    network = load_converted(UMF, convert(stored("umf", "weights")))
    with torch.inference_mode():
        fused = network(*pair_of(name, "opencv"))
    assert share_apart(fused, reference("umf") / "reference" / f"{name}.png") <= 0.001


def test_both_modalities_are_mixed_with_one_attention():
    interaction = randomized(Interaction(8))
    infrared, visible = torch.randn(2, 1, 8, 9, 11).unbind()
    attention = torch.sigmoid(interaction.query(infrared) * interaction.key(visible))
    expected = []
    for x, mix in ((infrared, interaction.mix_infrared), (visible, interaction.mix_visible)):
        both = F.conv2d(torch.cat([x, x * attention], 1), mix.weight, mix.bias, padding=1)
        expected.append(both[:, 0:1] * x + both[:, 1:2] * x * attention)
    torch.testing.assert_close(interaction(infrared, visible), tuple(expected))


def test_a_state_dict_below_net_is_read_too():
    weights = ruled_weights()
    wrapped = {f"net.{name}": value for name, value in weights.items()}
    wrapped["opt.state.0.step"] = torch.tensor(3)
    plain = convert(weights).weights
    read = convert(wrapped).weights
    assert plain.keys() == read.keys()
    assert all(torch.equal(plain[name], read[name]) for name in plain)


@settings(max_examples=8, deadline=None)
@given(st.integers(16, 45), st.integers(16, 45))
def test_any_size_in_the_same_size_out_within_range(height, width):
    network = randomized(UMF(TINY), std=0.1)
    with torch.inference_mode():
        fused = network(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert 0 <= fused.min() <= fused.max() <= 1
