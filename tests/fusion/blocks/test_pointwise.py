import pytest
import torch
from torch.nn import functional as F

from fusion.blocks.pointwise import PointwiseConv2d

FORMATS = {"first": torch.contiguous_format, "last": torch.channels_last}


@pytest.mark.parametrize("last", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 5, 9, 7), (3, 1, 4, 6), (2, 8, 1, 1), (17, 3, 2, 5)])
def test_output_and_gradients_are_those_of_a_1x1_convolution(shape, bias, last):
    torch.manual_seed(0)
    layer = PointwiseConv2d(shape[1], 6, bias=bias).double()
    given = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=last)
    wanted = torch.randn(shape[0], 6, *shape[2:], dtype=torch.float64)
    results = []
    for convolve in (layer, lambda x: F.conv2d(x, layer.weight, layer.bias)):
        features = given.clone(memory_format=torch.preserve_format).requires_grad_()
        output = convolve(features)
        sources = [features, *layer.parameters()]
        results.append([output, *torch.autograd.grad((output * wanted).sum(), sources)])
    torch.testing.assert_close(*results)


def test_channels_last_stays_channels_last():
    features = torch.randn(2, 4, 5, 6).contiguous(memory_format=torch.channels_last)
    output = PointwiseConv2d(4, 3)(features)
    assert output.is_contiguous(memory_format=torch.channels_last)
