import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity

from fusion.blocks.fidelity import VisualInformationFidelity
from fusion.blocks.losses import SobelGradient, SobelMagnitude, StructuralSimilarity
from fusion.methods.pomai.config import FusionLossConfig
from fusion.methods.pomai.loss import FusionLoss


@pytest.fixture
def images():
    return torch.rand(3, 2, 1, 24, 31, generator=torch.Generator().manual_seed(0)).unbind()


def test_ssim_equals_scikit_image(images):
    fused, infrared, visible = images
    values = StructuralSimilarity()(fused, (infrared, visible))
    for value, reference in zip(values, (infrared, visible), strict=True):
        maps = [
            structural_similarity(
                fused[i, 0].double().numpy(),
                reference[i, 0].double().numpy(),
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1.0,
                full=True,
            )[1][5:-5, 5:-5]
            for i in range(2)
        ]
        assert value.item() == pytest.approx(sum(m.mean() for m in maps) / 2, abs=1e-5)


def slow_sobel(image):
    """|S_x ∗ x| + |S_y ∗ x| pixel by pixel, mirrored at the border."""
    height, width = image.shape

    def at(y, x):
        y = -y if y < 0 else 2 * (height - 1) - y if y >= height else y
        x = -x if x < 0 else 2 * (width - 1) - x if x >= width else x
        return float(image[y, x])

    weights = (1, 2, 1)
    result = torch.zeros_like(image)
    for y in range(height):
        for x in range(width):
            dx = sum(
                w * (at(y + d, x + 1) - at(y + d, x - 1))
                for d, w in zip((-1, 0, 1), weights, strict=True)
            )
            dy = sum(
                w * (at(y + 1, x + d) - at(y - 1, x + d))
                for d, w in zip((-1, 0, 1), weights, strict=True)
            )
            result[y, x] = abs(dx) + abs(dy)
    return result


def test_sobel_equals_a_loop_over_pixels(images):
    image = images[0]
    expected = torch.stack([slow_sobel(plane[0]) for plane in image]).unsqueeze(1)
    torch.testing.assert_close(SobelMagnitude()(image), expected, atol=1e-5, rtol=1e-5)


def test_each_term_is_its_equation(images):
    fused, infrared, visible = images
    losses = FusionLoss(FusionLossConfig())(fused, infrared, visible)
    similarities = StructuralSimilarity()(fused, (infrared, visible))
    assert losses["ssim"].item() == pytest.approx(2 - sum(s.item() for s in similarities), rel=1e-5)
    mse = ((fused - infrared) ** 2).mean() + ((fused - visible) ** 2).mean()
    assert losses["mse"].item() == pytest.approx(mse.item(), rel=1e-5)
    brightest = torch.where(infrared > visible, infrared, visible)
    assert losses["intensity"].item() == pytest.approx(
        (fused - brightest).abs().mean().item(), rel=1e-5
    )
    edges = [torch.stack([slow_sobel(p[0]) for p in image]) for image in images]
    gradient = (edges[0] - torch.where(edges[1] > edges[2], edges[1], edges[2])).abs().mean()
    assert losses["gradient"].item() == pytest.approx(gradient.item(), rel=1e-5)


@pytest.mark.parametrize("gain", [1.0, 1.3])
def test_vector_gradients_follow_the_source_of_the_larger_magnitude(images, gain):
    config = FusionLossConfig(gradient_target="vector", gradient_gain=gain)
    result = FusionLoss(config)(*images)["gradient"].item()
    apart = []
    for planes in zip(*(image[:, 0].double().numpy() for image in images), strict=True):
        fused, infrared, visible = (
            np.stack([ndimage.sobel(plane, axis, mode="mirror") for axis in (1, 0)])
            for plane in planes
        )
        infrared_wins = np.abs(infrared).sum(0) > np.abs(visible).sum(0)
        apart.append(np.abs(fused - gain * np.where(infrared_wins, infrared, visible)).sum(0))
    assert result == pytest.approx(np.mean(apart), rel=1e-5)


def test_only_vector_gradients_tell_an_edge_from_its_inverse(images):
    image = images[0]
    costs = {
        target: FusionLoss(FusionLossConfig(gradient_target=target))(1 - image, image, image)
        for target in ("magnitude", "vector")
    }
    assert costs["magnitude"]["gradient"].item() == pytest.approx(0.0, abs=1e-5)
    assert costs["vector"]["gradient"].item() > 1.0


@pytest.mark.parametrize("target", ["magnitude", "vector"])
def test_a_gain_asks_for_an_image_of_more_contrast(images, target):
    image = images[0] / 2
    loss = FusionLoss(FusionLossConfig(gradient_target=target, gradient_gain=1.5))
    assert loss(1.5 * image, image, image)["gradient"].item() == pytest.approx(0.0, abs=1e-5)


def test_fidelity_is_a_term_only_where_it_has_a_weight():
    images = torch.rand(3, 2, 1, 48, 50, generator=torch.Generator().manual_seed(0)).unbind()
    without = FusionLoss(FusionLossConfig())(*images)
    losses = FusionLoss(FusionLossConfig(fidelity=2.0))(*images)
    kept = sum(VisualInformationFidelity()(images[0], images[1:]))
    assert losses["fidelity"].item() == pytest.approx(2 - kept.item(), rel=1e-5)
    assert losses["loss"].item() == pytest.approx(
        without["loss"].item() + 2 * losses["fidelity"].item(), rel=1e-5
    )
    assert "fidelity" not in without


def test_total_is_the_weighted_sum(images):
    weights = FusionLossConfig(ssim=2.0, mse=3.0, intensity=5.0, gradient=7.0)
    losses = FusionLoss(weights)(*images)
    total = (
        2 * losses["ssim"] + 3 * losses["mse"] + 5 * losses["intensity"] + 7 * losses["gradient"]
    )
    assert losses["loss"].item() == pytest.approx(total.item(), rel=1e-6)


def test_a_perfect_fusion_of_equal_images_costs_nothing(images):
    image = images[0]
    losses = FusionLoss(FusionLossConfig())(image, image, image)
    assert math.isclose(losses["loss"].item(), 0.0, abs_tol=1e-5)


@pytest.mark.parametrize(
    ("border", "mode"), [("constant", "constant"), ("reflect", "mirror"), ("replicate", "nearest")]
)
def test_sobel_gradient_equals_scipy_with_the_wanted_border(images, border, mode):
    components = SobelGradient(border, divisor=8)(images[0])
    assert components.shape == (2, 2, 24, 31)
    for plane, result in zip(images[0], components, strict=True):
        for axis, component in zip((1, 0), result, strict=True):
            expected = ndimage.sobel(plane[0].double().numpy(), axis, mode=mode) / 8
            np.testing.assert_allclose(component, expected, atol=1e-6)


def test_a_slope_of_one_per_pixel_is_one():
    ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    horizontal, vertical = SobelGradient(divisor=8)(ramp)[0, :, 1:-1, 1:-1]
    assert (horizontal == 1).all()
    assert (vertical == 0).all()
