import torch
from torch import nn
from torch.nn import functional as F

from fusion.blocks.unet import Contraction, Expansion, double_conv, level_widths
from tests.fusion.toys import randomized


def test_widths_double_five_times():
    assert level_widths(64) == [64, 128, 256, 512, 1024]


def test_double_conv_is_two_normalized_convolutions():
    block = randomized(double_conv(3, 4, bias=False))
    image = torch.randn(2, 3, 6, 7)
    statistics = [block[1], block[4]]
    for norm in statistics:
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    expected = image
    for convolution, norm in zip((block[0], block[3]), statistics, strict=True):
        mapped = F.conv2d(expected, convolution.weight, padding=1)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        expected = (mapped * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)).clamp(min=0)
    torch.testing.assert_close(block(image), expected, atol=1e-5, rtol=1e-4)


def test_each_level_sees_the_strongest_of_four_pixels_of_the_one_above():
    contraction = randomized(Contraction(2, [3, 5, 4], bias=True))
    features = contraction(torch.randn(1, 2, 8, 12))
    assert [tuple(f.shape[1:]) for f in features] == [(3, 8, 12), (5, 4, 6), (4, 2, 3)]
    for above, below, level in zip(features, features[1:], contraction.levels[1:], strict=False):
        strongest = torch.stack([above[..., dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)]).amax(
            0
        )
        torch.testing.assert_close(below, level(strongest))


def test_expansion_merges_every_skip_from_the_deepest_up():
    widths = [3, 5, 4]
    expansion = randomized(
        Expansion(widths, lambda deep, shallow: nn.ConvTranspose2d(deep, shallow, 2, 2), bias=True)
    )
    fine, middle, deep = (torch.randn(1, c, 8 // 2**i, 12 // 2**i) for i, c in enumerate(widths))
    risen = expansion.merges[0](torch.cat([middle, expansion.rises[0](deep)], dim=1))
    expected = expansion.merges[1](torch.cat([fine, expansion.rises[1](risen)], dim=1))
    result = expansion([fine, middle, deep])
    assert result.shape == (1, 3, 8, 12)
    torch.testing.assert_close(result, expected)
