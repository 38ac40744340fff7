import pytest
import torch
from torch.nn import functional as F

from fusion.blocks.layers import (
    NARROW,
    ChannelAttention,
    ChannelLayerNorm,
    GatedFeedForward,
    RestormerBlock,
    TransposedAttention,
)


def randomized(module):
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def test_layer_norm_normalizes_the_channels_of_each_pixel():
    norm = randomized(ChannelLayerNorm(6))
    features = torch.randn(2, 6, 3, 5)
    for y in range(3):
        for x in range(5):
            pixel = features[1, :, y, x]
            centered = (pixel - pixel.mean()) / (pixel.var(unbiased=False) + norm.eps).sqrt()
            expected = centered * norm.weight + norm.bias
            torch.testing.assert_close(norm(features)[1, :, y, x], expected, atol=1e-5, rtol=1e-4)


def head_by_head(attention, features):
    """Restormer's formula, written out."""
    query, key, value = attention.depthwise(attention.expand(features)).chunk(3, dim=1)
    width = features.shape[1] // len(attention.temperature)
    outputs = []
    for head, temperature in enumerate(attention.temperature):
        part = slice(head * width, (head + 1) * width)
        q = F.normalize(query[:, part].flatten(2), dim=-1)
        k = F.normalize(key[:, part].flatten(2), dim=-1)
        scores = (q @ k.transpose(1, 2)) * temperature
        outputs.append(scores.softmax(-1) @ value[:, part].flatten(2))
    return attention.project(torch.cat(outputs, dim=1).view_as(features))


def with_gradients(layer, given, wanted, apply):
    """Output, then the gradients of features and weights."""
    features = given.clone(memory_format=torch.preserve_format).requires_grad_()
    output = apply(features)
    sources = [features, *layer.parameters()]
    return [output, *torch.autograd.grad((output * wanted).sum(), sources)]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("channels", [6, NARROW // 2 + 2])
def test_transposed_attention_and_its_gradients_are_restormers_head_by_head(channels, last):
    attention = randomized(TransposedAttention(channels, 2)).double()
    given = torch.randn(2, channels, 7, 5, dtype=torch.float64)
    if last:
        given = given.contiguous(memory_format=torch.channels_last)
    wanted = torch.randn_like(given) / 100
    found = with_gradients(attention, given, wanted, attention)
    expected = with_gradients(attention, given, wanted, lambda x: head_by_head(attention, x))
    torch.testing.assert_close(found[0], expected[0], atol=1e-4, rtol=1e-5)  # float32 softmax
    for gradient, other in zip(found[1:], expected[1:], strict=True):
        assert (gradient - other).norm() < 1e-5 * other.norm()


@pytest.mark.parametrize("last", [False, True])
def test_gated_feed_forward_and_its_gradients_are_those_of_one_tensor_cut_in_two(last):
    layer, given = randomized(GatedFeedForward(4, 2.0)), torch.randn(2, 4, 6, 5)
    if last:
        given = given.contiguous(memory_format=torch.channels_last)

    def cut(features):
        gate, value = layer.depthwise(layer.expand(features)).chunk(2, dim=1)
        return layer.project(F.gelu(gate) * value)

    wanted = torch.randn_like(given)
    torch.testing.assert_close(
        with_gradients(layer, given, wanted, layer), with_gradients(layer, given, wanted, cut)
    )
    with torch.no_grad():
        torch.testing.assert_close(layer(given), cut(given))


@pytest.mark.parametrize("layer", [TransposedAttention(6, 2), GatedFeedForward(6, 2.0)])
def test_channels_last_stays_channels_last(layer):
    features = torch.randn(2, 6, 5, 4).contiguous(memory_format=torch.channels_last)
    assert layer(features).is_contiguous(memory_format=torch.channels_last)


def test_a_block_has_restormers_number_of_parameters():
    # CDDFuse's and PoMAI's block: 64 channels, 8 heads, expansion 2
    assert sum(p.numel() for p in RestormerBlock(64, 8, 2.0).parameters()) == 45_256


def test_memory_format_does_not_change_the_result():
    block = randomized(RestormerBlock(8, 2))
    features = torch.randn(2, 8, 9, 11)
    result = block(features.to(memory_format=torch.channels_last))
    torch.testing.assert_close(result, block(features), atol=1e-4, rtol=1e-4)


def test_channel_attention_without_bias_is_blind_to_an_empty_map():
    attention = randomized(ChannelAttention(8, 4, bias=False))
    assert sum(p.numel() for p in attention.parameters()) == 2 * 8 * 2
    assert (attention(torch.zeros(1, 8, 3, 3)) == 0).all()
