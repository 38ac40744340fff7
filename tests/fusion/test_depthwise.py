import pytest
import torch

from fusion.blocks.depthwise import DepthwiseConv2d, PairedDepthwiseConv2d


def copies(*images):
    return [image.clone().requires_grad_() for image in images]


def gradients(output, wanted, layer, inputs):
    """Of the inputs and the layer's parameters, after which the layer has none."""
    (output * wanted).sum().backward()
    found = [x.grad for x in inputs] + [parameter.grad for parameter in layer.parameters()]
    layer.zero_grad()
    return found


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize(("kernel_size", "dilation", "bias"), [(3, 1, False), (7, 3, True)])
def test_shifted_images_are_the_convolution(kernel_size, dilation, bias, padding_mode, compiled):
    torch.manual_seed(0)
    options = {"dilation": dilation, "bias": bias, "padding_mode": padding_mode}
    layer = DepthwiseConv2d(4, kernel_size, **options)
    image, wanted = torch.randn(2, 4, 23, 18), torch.randn(2, 4, 23, 18)
    by_shifts = torch.compile(layer.by_shifts) if compiled else layer.by_shifts
    (expected_input,), (shifted_input,) = copies(image), copies(image)
    expected, shifted = layer(expected_input), by_shifts(shifted_input)
    torch.testing.assert_close(shifted, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        gradients(shifted, wanted, layer, [shifted_input]),
        gradients(expected, wanted, layer, [expected_input]),
        atol=1e-3,
        rtol=1e-4,
    )


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
def test_paired_shifted_images_are_the_grouped_convolution(padding_mode):
    torch.manual_seed(0)
    layer = PairedDepthwiseConv2d(4, 7, padding_mode=padding_mode)
    pair, wanted = torch.randn(2, 2, 4, 13, 18), torch.randn(2, 4, 13, 18)
    expected_pair, shifted_pair = copies(*pair), copies(*pair)
    expected, shifted = layer(*expected_pair), layer.by_shifts(*shifted_pair)
    torch.testing.assert_close(shifted, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        gradients(shifted, wanted, layer, shifted_pair),
        gradients(expected, wanted, layer, expected_pair),
        atol=1e-3,
        rtol=1e-4,
    )


def test_groups_see_their_own_pair_of_channels():
    layer = PairedDepthwiseConv2d(3, 3)
    first, second = torch.zeros(2, 1, 3, 5, 5)
    second[0, 1, 2, 2] = 1.0
    changed = layer(first, second) != layer(first, torch.zeros_like(second))
    assert changed[0].any(dim=(1, 2)).tolist() == [False, True, False]


def test_gradients_of_dilated_convolutions_in_bfloat16_are_those_of_float32():
    torch.manual_seed(0)
    layer = DepthwiseConv2d(8, 7, dilation=3).to(memory_format=torch.channels_last)
    features = torch.randn(4, 8, 64, 64).contiguous(memory_format=torch.channels_last)
    wanted = torch.randn(4, 8, 64, 64)
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = layer(features)
        (output.float() * wanted).sum().backward()
        gradients.append(layer.weight.grad.clone())
        layer.zero_grad()
    assert (gradients[0] - gradients[1]).norm() < 0.02 * gradients[0].norm()
