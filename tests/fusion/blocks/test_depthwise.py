import torch

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
