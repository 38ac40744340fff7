import pytest
import torch
from torch.nn import functional as F

from fusion.blocks.depthwise import DepthwiseConv2d


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


@pytest.mark.parametrize(("height", "width"), [(24, 30), (25, 31), (17, 16), (2, 5)])
@pytest.mark.parametrize("dilation", [2, 3])
def test_a_dilated_convolution_is_torchs_in_both_memory_formats(height, width, dilation):
    torch.manual_seed(0)
    layer = DepthwiseConv2d(4, 7, dilation=dilation).double()
    features = torch.randn(2, 4, height, width, dtype=torch.float64)
    reach = 3 * dilation
    expected = F.conv2d(
        features, layer.weight, layer.bias, padding=reach, dilation=dilation, groups=4
    ).float()
    last = features.to(memory_format=torch.channels_last)
    for given in (features, last):
        torch.testing.assert_close(layer.float()(given.float()), expected, atol=1e-5, rtol=1e-5)
