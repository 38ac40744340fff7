import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from fusion.methods.itfuse.config import ITFuseConfig
from fusion.methods.itfuse.method import ITFuse
from fusion.methods.itfuse.network import CoordinateAttention, RowBlock
from fusion.methods.itfuse.published import convert, published_names
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

TINY = ITFuseConfig(channels=8, levels=2, blocks=1)
DEAD = {"norm.weight": (32,), "TS_lv1.bn.bias": (16,), "equalAtt.se.0.weight": (32, 16, 1, 1)}


def ruled():
    shapes = published_shapes(ITFuse(ITFuseConfig()), published_names())
    return load_converted(ITFuse, convert(noise_rule(shapes, 0.7)))


def test_published_network_has_the_published_numbers_of_parameters():
    with torch.device("meta"):
        network = ITFuse(ITFuseConfig())
    assert parameters(network) == 18_335
    parts = (network.single, network.joint, network.shared, network.coordinate, network.interact)
    assert [parameters(part) for part in parts] == [192, 336, 2352, 236, 2681]


def test_network_under_the_rule_gives_the_published_numbers():
    infrared, visible = noise_inputs(33, 47)
    with torch.inference_mode():
        fused = ruled()(infrared, rgb(visible))
    assert grid_of(fused) == pytest.approx(committed("itfuse")["fused"], abs=1e-5)


@needs_pairs
@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_published_weights_draw_the_published_picture(name):
    network = load_converted(ITFuse, convert(stored("itfuse", "weights")))
    with torch.inference_mode():
        fused = network(*pair_of(name))
    picture = reference("itfuse") / "reference" / f"{name}.png"
    assert share_apart(fused, picture, truncated=True) <= 0.001


def test_coordinate_gates_are_of_whole_rows_and_columns():
    attention = randomized(CoordinateAttention(8))
    features = torch.randn(1, 8, 5, 7)

    def gate(means, project):
        weight, bias = attention.squeeze.weight[:, :, 0, 0], attention.squeeze.bias
        x = attention.norm((means @ weight.T + bias).mT[None, ..., None])[0, ..., 0]
        x = x * (x + 3).clamp(0, 6) / 6
        return torch.sigmoid(project.weight[:, :, 0, 0] @ x + project.bias[:, None])

    rows = gate(features.mean(3)[0].mT, attention.rows)
    columns = gate(features.mean(2)[0].mT, attention.columns)
    expected = features * rows[None, :, :, None] * columns[None, :, None, :]
    torch.testing.assert_close(attention(features), expected)


def test_attention_within_one_token_is_its_value():
    """The query and the key may be anything."""
    block = randomized(RowBlock(8))
    rows = torch.randn(6, 8)
    expected = block(rows)
    block.qkv.weight.data[:16], block.qkv.bias.data[:16] = 5.0, -3.0
    assert torch.equal(block(rows), expected)
    normed = F.layer_norm(rows, (8,), block.attention_norm.weight, block.attention_norm.bias)
    value = normed @ block.qkv.weight[16:].T + block.qkv.bias[16:]
    attended = rows + value @ block.project.weight.T + block.project.bias
    fed = block.contract(F.gelu(block.expand(block.feed_forward_norm(attended))))
    torch.testing.assert_close(expected, attended + fed)


def test_rows_are_neighbors_in_memory_whatever_the_memory_format():
    network = randomized(ITFuse(TINY))
    features = torch.randn(1, 8, 16, 24)
    expected = network.blocks[0](features.flatten().view(-1, 8)).view(1, 8, 16, 24)
    last = features.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network._attend_rows(last), expected)


@settings(max_examples=6, deadline=None)
@given(st.integers(16, 41), st.integers(16, 41))
def test_any_size_in_the_same_size_out_within_range(height, width):
    network = randomized(ITFuse(TINY))
    with torch.inference_mode():
        fused = network(*pair(height, width, batch=2))
    assert fused.shape == (2, 1, height, width)
    assert 0 <= fused.min() < fused.max() <= 1


def test_layers_that_never_act_are_left_out_and_others_are_not_taken():
    shapes = published_shapes(ITFuse(ITFuseConfig()), published_names())
    weights = noise_rule(shapes | DEAD, 0.7)
    assert convert(weights).weights.keys() == ITFuse(ITFuseConfig()).state_dict().keys()
    weights["TS_lv2.key_embed.conv.weight"] = weights["conv16_16.conv.weight"]
    with pytest.raises(ValueError, match=r"unknown: TS_lv2\.key_embed\.conv\.weight"):
        convert(weights)
