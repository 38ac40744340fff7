import math

import numpy as np
import pytest
import torch

from fusion.blocks.unet import level_widths
from fusion.methods.mmaunet.asymmetric import (
    AsymmetricFusion,
    ConcurrentSqueezeExcitation,
    EfficientChannelAttention,
    pixel_shuffle_rise,
)
from tests.fusion.toys import parameters, randomized


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("channels", [16, 128, 256, 1024])
def test_eca_has_an_odd_kernel_that_grows_with_the_logarithm_of_the_width(channels):
    taps = int(abs((math.log2(channels) + 1) / 2))
    taps = taps if taps % 2 else taps + 1
    assert EfficientChannelAttention(channels).kernel.weight.shape == (1, 1, taps)


def test_eca_gates_by_neighboring_channels_of_mean_and_maximum():
    gate = randomized(EfficientChannelAttention(8), std=1.0)
    features = torch.randn(2, 8, 4, 5)
    x = features[1].double().numpy()
    kernel = gate.kernel.weight.detach().double().numpy().ravel()
    side = len(kernel) // 2
    logits = np.zeros(8)
    for pooled in (x.mean((1, 2)), x.max((1, 2))):
        padded = np.pad(pooled, side)
        logits += [padded[c : c + len(kernel)] @ kernel for c in range(8)]
    expected = x * sigmoid(logits)[:, None, None]
    np.testing.assert_allclose(gate(features)[1].detach(), expected, atol=1e-5)


def test_scse_keeps_the_larger_of_both_gated_maps():
    gate = randomized(ConcurrentSqueezeExcitation(6), std=1.0)
    features = torch.randn(2, 6, 4, 5)
    x = features[1].double().numpy()
    w = {name: value.double().numpy() for name, value in gate.state_dict().items()}
    squeezed = w["channel.squeeze.weight"][:, :, 0, 0] @ x.mean((1, 2)) + w["channel.squeeze.bias"]
    assert len(squeezed) == 3, "reduction 2"
    excite = w["channel.excite.weight"][:, :, 0, 0]
    channel = sigmoid(excite @ np.maximum(squeezed, 0) + w["channel.excite.bias"])
    spatial = np.einsum("c,chw->hw", w["spatial.weight"][0, :, 0, 0], x) + w["spatial.bias"]
    expected = np.maximum(x * channel[:, None, None], x * sigmoid(spatial))
    np.testing.assert_allclose(gate(features)[1].detach(), expected, atol=1e-5)


def test_pixel_shuffle_spreads_four_channels_over_a_square():
    rise = randomized(pixel_shuffle_rise(3, 2))
    features = torch.randn(1, 3, 4, 5)
    mapped, risen = rise[0](features), rise(features)
    assert risen.shape == (1, 2, 8, 10)
    for channel in range(2):
        for dy in (0, 1):
            for dx in (0, 1):
                source = mapped[0, 4 * channel + 2 * dy + dx]
                assert torch.equal(risen[0, channel, dy::2, dx::2], source)


def features_of(widths):
    return [torch.randn(1, c, 32 // 2**level, 48 // 2**level) for level, c in enumerate(widths)]


def test_visible_levels_meet_infrared_ones_a_level_deeper():
    widths = level_widths(4)
    network = randomized(AsymmetricFusion(widths, 3), std=0.2)
    infrared, visible = features_of(widths), features_of(widths)
    fused = []
    for level in range(4):
        x = visible[level]
        pooled = sum(x[..., dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)) / 4
        conv = network.descents[level][1]
        doubled = torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], pooled)
        doubled = doubled + conv.bias.view(1, -1, 1, 1)
        fused.append(network.gates[level](infrared[level + 1] + doubled))
    assert [type(gate).__name__[:3] for gate in network.gates] == ["Eff", "Eff", "Con", "Con"]
    expected = network.last(network.taper(network.rise(network.expansion(fused))))
    result = network(infrared, visible)
    assert result.shape == (1, 3, 32, 48)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)


def test_published_width_has_the_published_number_of_parameters():
    with torch.device("meta"):
        assert parameters(AsymmetricFusion(level_widths(64), 3)) == 36_397_263
