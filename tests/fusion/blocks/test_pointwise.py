import pytest
import torch
from torch.nn import functional as F

from fusion.blocks import pointwise
from fusion.blocks.pointwise import PointwiseConv2d

FORMATS = {"first": torch.contiguous_format, "last": torch.channels_last}
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-12}


@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize("last", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 5, 9, 7), (3, 1, 4, 6), (2, 8, 1, 1), (17, 3, 2, 5)])
def test_output_and_gradients_are_those_of_a_1x1_convolution(shape, bias, last, dtype):
    torch.manual_seed(0)
    layer = PointwiseConv2d(shape[1], 6, bias=bias).to(dtype)
    given = torch.randn(shape, dtype=dtype).contiguous(memory_format=last)
    wanted = torch.randn(shape[0], 6, *shape[2:], dtype=dtype)
    results = []
    for convolve in (layer, lambda x: F.conv2d(x, layer.weight, layer.bias)):
        features = given.clone(memory_format=torch.preserve_format).requires_grad_()
        output = convolve(features)
        sources = [features, *layer.parameters()]
        results.append([output, *torch.autograd.grad((output * wanted).sum(), sources)])
    torch.testing.assert_close(*results, atol=ROUNDING[dtype], rtol=ROUNDING[dtype])


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_rows_are_images_where_they_lie_in_memory_as_such(monkeypatch):
    seen = []
    convolve = F.conv2d

    def spy(features, *rest):
        seen.append(tuple(features.shape))
        return convolve(features, *rest)

    monkeypatch.setattr(pointwise.F, "conv2d", spy)
    layer = PointwiseConv2d(4, 3)
    features = torch.randn(2, 8, 5, 6).contiguous(memory_format=torch.channels_last)
    whole = features[:, :4].contiguous(memory_format=torch.channels_last)
    for given in (whole, whole.contiguous(), features[:, :4], whole.double()):
        layer.to(given.dtype)(given)
    assert seen == [(10, 4, 1, 6), *[(2, 4, 5, 6)] * 3]


@pytest.mark.parametrize("batch", [0, 2])
def test_channels_last_stays_channels_last_and_no_image_is_none(batch):
    features = torch.randn(batch, 4, 5, 6).contiguous(memory_format=torch.channels_last)
    output = PointwiseConv2d(4, 3)(features)
    assert output.shape == (batch, 3, 5, 6)
    assert output.is_contiguous(memory_format=torch.channels_last)


def test_mixed_precision_is_that_of_a_convolution():
    torch.manual_seed(0)
    layer = PointwiseConv2d(4, 3)
    features = torch.randn(2, 4, 5, 6).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        output, expected = layer(features), F.conv2d(features, layer.weight, layer.bias)
    assert output.dtype is torch.bfloat16
    torch.testing.assert_close(output, expected)
