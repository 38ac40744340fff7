import numpy as np
import pytest
import torch
from scipy.special import erf, softmax

from fusion.blocks.dense_attention import (
    DenseAttentionBlock,
    DenseTransposedAttention,
    PairwiseGatedFeedForward,
)
from tests.fusion.toys import parameters, randomized


def slow_conv(image, weight, groups=1, mode="constant"):
    """Convolution of N×H×W by O×(N/groups)×k×k, tap by tap, size kept."""
    outputs, inputs, taps, _ = weight.shape
    side = taps // 2
    padded = np.pad(image, ((0, 0), (side, side), (side, side)), mode=mode)
    height, width = image.shape[1:]
    result = np.zeros((outputs, height, width))
    for o in range(outputs):
        first = (o // (outputs // groups)) * inputs
        for n in range(inputs):
            for dy in range(taps):
                for dx in range(taps):
                    window = padded[first + n, dy : dy + height, dx : dx + width]
                    result[o] += weight[o, n, dy, dx] * window
    return result


def numpy_of(module):
    return {name: value.double().numpy() for name, value in module.state_dict().items()}


def slow_attention(x, w, heads):
    channels, height, width = x.shape
    qkv = slow_conv(slow_conv(x, w["expand.weight"]), w["mix.weight"])
    query, key, value = qkv.reshape(3, heads, channels // heads, height * width)
    outputs = []
    for head in range(heads):
        q = query[head] / np.linalg.norm(query[head], axis=1, keepdims=True)
        k = key[head] / np.linalg.norm(key[head], axis=1, keepdims=True)
        scores = softmax(q @ k.T * w["temperature"][head, 0, 0], axis=1)
        outputs.append(scores @ value[head])
    mixed = np.concatenate(outputs).reshape(channels, height, width)
    return slow_conv(mixed, w["project.weight"])


def slow_feed_forward(x, w, mode):
    hidden = w["project.weight"].shape[1]
    expanded = slow_conv(x, w["expand.weight"])
    pairs = slow_conv(expanded, w["pairwise.weight"], groups=hidden, mode=mode)
    gate, value = pairs[:hidden], pairs[hidden:]
    return slow_conv(gate * (1 + erf(gate / np.sqrt(2))) / 2 * value, w["project.weight"])


def slow_norm(x, w):
    normal = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
    return normal * w["weight"][:, None, None] + w["bias"][:, None, None]


def test_attention_is_its_formula_with_a_dense_convolution():
    attention = randomized(DenseTransposedAttention(6, 2), std=0.5)
    features = torch.randn(2, 6, 5, 7)
    expected = slow_attention(features[1].double().numpy(), numpy_of(attention), heads=2)
    np.testing.assert_allclose(attention(features)[1].detach(), expected, atol=1e-4)


@pytest.mark.parametrize(("padding", "mode"), [("zeros", "constant"), ("reflect", "reflect")])
def test_feed_forward_has_two_channels_a_group_and_the_wanted_border(padding, mode):
    layer = randomized(PairwiseGatedFeedForward(4, 1.5, padding), std=0.5)
    features = torch.randn(1, 4, 5, 6)
    expected = slow_feed_forward(features[0].double().numpy(), numpy_of(layer), mode)
    np.testing.assert_allclose(layer(features)[0].detach(), expected, atol=1e-5)


def test_block_adds_both_parts_to_what_they_normalize():
    block = randomized(DenseAttentionBlock(4, 2))
    features = torch.randn(1, 4, 6, 5)
    parts = {name: numpy_of(part) for name, part in block.named_children()}
    x = features[0].double().numpy()
    x = x + slow_attention(slow_norm(x, parts["attention_norm"]), parts["attention"], heads=2)
    normal = slow_norm(x, parts["feed_forward_norm"])
    expected = x + slow_feed_forward(normal, parts["feed_forward"], "reflect")
    np.testing.assert_allclose(block(features)[0].detach(), expected, atol=1e-4)


def test_block_has_the_number_of_parameters_of_cddfuses_base_fusion():
    assert parameters(DenseAttentionBlock(64, 8)) == 363_016


def test_memory_format_does_not_change_the_result():
    block = randomized(DenseAttentionBlock(8, 2))
    features = torch.randn(2, 8, 9, 11)
    result = block(features.to(memory_format=torch.channels_last))
    torch.testing.assert_close(result, block(features), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layer", [DenseTransposedAttention(6, 2), DenseAttentionBlock(6, 2)])
def test_channels_last_stays_channels_last(layer):
    features = torch.randn(2, 6, 8, 5).contiguous(memory_format=torch.channels_last)
    assert layer(features).is_contiguous(memory_format=torch.channels_last)
