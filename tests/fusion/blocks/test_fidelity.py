import pytest
import torch
from torch.nn import functional as F

from fusion.blocks.fidelity import VisualInformationFidelity
from fusion.metrics.functional import visual_information_fidelity


def levels(batch=1, height=67, width=50, seed=0):
    """Smooth random fused, infrared and visible gray levels, whole numbers, B×1×H×W each."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2 * batch, 1, 13, 11, generator=generator)
    sources = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    infrared, visible = (sources * 255).round().chunk(2)
    noise = torch.randn(infrared.shape, generator=generator) * 4
    fused = (torch.maximum(infrared, visible) * 0.9 + noise).round().clamp(0, 255)
    return fused, infrared, visible


def fidelity(fused, infrared, visible):
    return sum(VisualInformationFidelity()(fused, (infrared, visible)))


@pytest.mark.parametrize(("height", "width"), [(41, 41), (67, 50), (96, 128)])
def test_it_is_the_metric(height, width):
    images = levels(height=height, width=width)
    expected = visual_information_fidelity(*images).item()
    exact = fidelity(*(image.double() / 255 for image in images)).item()
    assert exact == pytest.approx(expected, rel=1e-5)
    assert fidelity(*(image / 255 for image in images)).item() == pytest.approx(exact, rel=1e-5)


def test_dark_flat_regions_keep_next_to_no_information():
    """The loss leaves out windows that the metric counts; that must not show."""
    fused, infrared, visible = levels()
    for image in (fused, infrared, visible):
        image[..., :40, :] = 3
        image[..., 7:30:9, ::8] = 4  # single pixels of sensor noise
    expected = visual_information_fidelity(fused, infrared, visible).item()
    value = fidelity(fused / 255, infrared / 255, visible / 255).item()
    assert value == pytest.approx(expected, rel=1e-3)


def test_a_batch_has_the_mean_of_its_images():
    images = [image / 255 for image in levels(batch=3)]
    alone = [fidelity(*(image[i : i + 1] for image in images)).item() for i in range(3)]
    assert fidelity(*images).item() == pytest.approx(sum(alone) / 3, rel=1e-5)


def test_its_gradient_is_that_of_finite_differences():
    fused, infrared, visible = (image.double()[..., :41, :41] / 255 for image in levels())
    direction = torch.randn(fused.shape, generator=torch.Generator().manual_seed(1)).double()
    point = fused.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(fidelity(point, infrared, visible), point)
    step = 1e-6
    ahead = fidelity(fused + step * direction, infrared, visible)
    behind = fidelity(fused - step * direction, infrared, visible)
    slope = (ahead - behind) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-4)


@pytest.mark.parametrize("values", [(0, 0, 0), (2, 3, 2), (255, 0, 255), (128, 128, 128)])
def test_constant_images_have_finite_values_and_gradients(values):
    fused, infrared, visible = (torch.full((2, 1, 48, 48), value / 255) for value in values)
    value = fidelity(fused.requires_grad_(), infrared, visible)
    value.backward()
    assert value.item() == 2  # as the metric: no information, so all of it is kept
    assert not fused.grad.any()


def test_rounding_errors_in_flat_regions_do_not_make_large_gradients():
    """Slopes of the fused image stay as small as those of an image with texture everywhere."""
    generator = torch.Generator().manual_seed(0)
    textured = [image / 255 for image in levels()]
    nearly_flat = [image.clone() for image in textured]
    for image in nearly_flat:
        ripple = torch.rand(image[..., :40, :].shape, generator=generator) * 1e-5
        image[..., :40, :] = 0.01 + ripple
    largest = []
    for fused, infrared, visible in (textured, nearly_flat):
        point = fused.requires_grad_()
        (gradient,) = torch.autograd.grad(fidelity(point, infrared, visible), point)
        largest.append(gradient.abs().max().item())
    assert largest[1] < 10 * largest[0]


def test_more_contrast_keeps_more_information():
    _, infrared, visible = (image / 255 for image in levels())
    mean = visible.mean()
    values = [fidelity(mean + gain * (visible - mean), infrared, visible) for gain in (0.5, 1, 1.5)]
    assert values[0] < values[1] < values[2]


def test_images_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="VIF needs 41 pixels a side, not 60x40"):
        fidelity(*torch.rand(3, 1, 1, 40, 60))
