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


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("channels", [6, NARROW // 2 + 2])
def test_transposed_attention_and_its_gradients_are_restormers_head_by_head(channels, last):
    attention = randomized(TransposedAttention(channels, 2)).double()
    given = torch.randn(2, channels, 7, 5, dtype=torch.float64)
    if last:
        given = given.contiguous(memory_format=torch.channels_last)
    wanted = torch.randn_like(given)
    results = []
    for attend in (attention, lambda x: head_by_head(attention, x)):
        features = given.clone().requires_grad_()
        output = attend(features)
        sources = [features, *attention.parameters()]
        results.append([output, *torch.autograd.grad((output * wanted).sum(), sources)])
    # norms and softmax are float32
    torch.testing.assert_close(*results, atol=1e-3, rtol=1e-4)


def test_gated_feed_forward_multiplies_gelu_of_one_half_with_the_other():
    layer = randomized(GatedFeedForward(4, 2.0))
    features = torch.randn(1, 4, 6, 6)
    hidden = layer.depthwise(layer.expand(features))
    expected = layer.project(F.gelu(hidden[:, :8]) * hidden[:, 8:])
    torch.testing.assert_close(layer(features), expected)


def test_gated_feed_forward_has_the_same_values_with_and_without_gradients():
    layer, features = randomized(GatedFeedForward(4, 2.0)), torch.randn(1, 4, 6, 6)
    with torch.no_grad():
        alone = layer(features)
    torch.testing.assert_close(layer(features), alone, atol=0, rtol=0)


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
