import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage
from torch.nn import functional as F

from fusion import methods
from fusion.blocks import filters
from fusion.methods.classical import larger_magnitude, share
from fusion.methods.guided_filter import GuidedFilter, GuidedFilterConfig
from fusion.methods.laplacian import decompose, expand, reconstruct, reduce
from fusion.methods.two_scale import TwoScale, TwoScaleConfig
from fusion.methods.wavelet import WaveletConfig

NAMES = ("laplacian", "guided_filter", "two_scale", "wavelet")
sides = st.integers(16, 40)


def build(name, **settings):
    kind = methods.get(name)
    return kind(kind.config_class(**settings))


def fuse(name, infrared, visible, **settings):
    """Fuse two gray images."""
    with torch.inference_mode():
        return build(name, **settings)(infrared, visible.expand(-1, 3, -1, -1))


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def texture(height=96, width=128, seed=0):
    """A scene with detail at all scales, in [0.2, 0.8]."""
    generator = np.random.default_rng(seed)
    layers = [
        ndimage.gaussian_filter(generator.standard_normal((height, width)), sigma, mode="wrap")
        for sigma in (0, 1, 2, 4, 8)
    ]
    image = sum(layer / layer.std() for layer in layers)
    image = (image - image.min()) / (image.max() - image.min())
    return torch.tensor(0.2 + 0.6 * image, dtype=torch.float32).view(1, 1, height, width)


def blurred(image, sigma=2.0):
    return torch.tensor(ndimage.gaussian_filter(image.numpy(), (0, 0, sigma, sigma)))


# what every classical method promises


@pytest.mark.parametrize("name", NAMES)
@given(height=sides, width=sides, seed=st.integers(0, 99), binary=st.booleans())
@settings(max_examples=15, deadline=None)
def test_any_pair_is_fused_into_its_range(name, height, width, seed, binary):
    infrared, visible = noise(1, 1, height, width, seed=seed), noise(1, 3, height, width, seed=-1)
    if binary:  # the strongest contrasts there are
        infrared, visible = infrared.round(), visible.round()
    with torch.inference_mode():
        fused = build(name)(infrared, visible)
    assert fused.shape == (1, 1, height, width)
    assert fused.dtype == torch.float32
    assert fused.min() >= 0
    assert fused.max() <= 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(16, 16), (33, 50)])
def test_an_image_fused_with_itself_is_itself(name, size):
    image = noise(2, 1, *size)
    torch.testing.assert_close(fuse(name, image, image), image, atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_sources_does_not_matter(name):
    infrared, visible = texture(61, 50, seed=1), texture(61, 50, seed=2)
    infrared[..., :20], visible[..., :20] = 0.3, 0.6  # neither is salient here
    exchanged = fuse(name, visible, infrared)
    torch.testing.assert_close(fuse(name, infrared, visible), exchanged, atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_two_flat_images_are_averaged(name):
    dark, bright = torch.full((1, 1, 40, 30), 0.2), torch.full((1, 1, 40, 30), 0.7)
    expected = torch.full_like(dark, 0.45)
    torch.testing.assert_close(fuse(name, dark, bright), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shown_by_infrared", [True, False])
def test_detail_that_one_source_has_is_kept(name, shown_by_infrared):
    """The average would halve the stripes' contrast."""
    flat = torch.full((1, 1, 96, 96), 0.5)
    striped = flat.clone()
    striped[..., 40:56, 40:56:4] += 0.2
    sources = (striped, flat) if shown_by_infrared else (flat, striped)
    window = fuse(name, *sources)[..., 42:54, 42:54]
    contrast = window.std() / striped[..., 42:54, 42:54].std()
    assert 0.9 < contrast < 1.1


@pytest.mark.parametrize("name", NAMES)
def test_two_half_sharp_images_give_a_sharp_one(name):
    truth = texture()
    soft = blurred(truth)
    left_sharp, right_sharp = truth.clone(), truth.clone()
    left_sharp[..., 64:], right_sharp[..., :64] = soft[..., 64:], soft[..., :64]
    average = F.mse_loss((left_sharp + right_sharp) / 2, truth)
    fused = F.mse_loss(fuse(name, left_sharp, right_sharp), truth)
    assert fused < {"two_scale": 0.9, "guided_filter": 0.05}.get(name, 0.2) * average


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_is_fused_alike_alone_and_in_a_batch(name):
    infrared, visible = noise(3, 1, 37, 45), noise(3, 3, 37, 45, seed=1)
    method = build(name)
    together = method(infrared, visible)
    for index in range(3):
        alone = method(infrared[index : index + 1], visible[index : index + 1])
        assert torch.equal(alone[0], together[index])


@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_changes_nothing(name):
    infrared, visible = noise(1, 1, 32, 40), noise(1, 3, 32, 40, seed=1)
    method = build(name)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        mixed = method(infrared, visible)
    assert torch.equal(mixed, method(infrared, visible))
    rounded = infrared.bfloat16(), visible.bfloat16()
    assert torch.equal(method(*rounded), method(*(image.float() for image in rounded)))


@pytest.mark.parametrize("name", NAMES)
def test_color_counts_by_its_luminance(name):
    infrared, visible = noise(1, 1, 24, 24), noise(1, 3, 24, 24, seed=1)
    red, green, blue = visible.split(1, dim=1)
    gray = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = fuse(name, infrared, gray)
    torch.testing.assert_close(build(name)(infrared, visible), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_trained(name):
    assert not build(name).state_dict()
    assert methods.get(name).phases == {}


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("laplacian", {"levels": 0}, "greater than or equal to 1"),
        ("guided_filter", {"mean_size": 30}, "30 must be odd"),
        ("guided_filter", {"detail_epsilon": 0.0}, "greater than 0"),
        ("two_scale", {"median_size": 4}, "4 must be odd"),
        ("wavelet", {"wavelet": "morl"}, "'morl' is not a discrete wavelet"),
        ("wavelet", {"level": 3}, "not permitted"),
    ],
)
def test_a_wrong_setting_is_named(name, wrong, message):
    with pytest.raises(ValidationError, match=message):
        build(name, **wrong)


# filters, against slow formulations


@pytest.mark.parametrize(("height", "width", "radius"), [(16, 21, 2), (9, 7, 45)])
def test_box_mean_counts_only_pixels_of_the_image(height, width, radius):
    image = noise(2, 1, height, width)
    expected = torch.empty_like(image)
    for row in range(height):
        for column in range(width):
            rows = slice(max(0, row - radius), row + radius + 1)
            columns = slice(max(0, column - radius), column + radius + 1)
            expected[..., row, column] = image[..., rows, columns].mean((-2, -1))
    torch.testing.assert_close(filters.box_mean(image, radius), expected)


def test_box_mean_is_as_exact_at_the_end_of_a_long_line():
    image = 0.9 + 0.1 * noise(1, 1, 2, 6000)
    expected = image[..., -3:].double().mean().float()
    torch.testing.assert_close(filters.box_mean(image, 2)[0, 0, 0, -1], expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("size", [1, 3, 35])
def test_mean_and_median_filter_replicate_the_border(size):
    image = noise(1, 1, 19, 24)
    plane = image[0, 0].double().numpy()
    mean = ndimage.uniform_filter(plane, size, mode="nearest")
    assert np.abs(filters.mean_filter(image, size)[0, 0].numpy() - mean).max() < 1e-6
    median = ndimage.median_filter(plane, size, mode="nearest")
    assert np.abs(filters.median_filter(image, size)[0, 0].numpy() - median).max() < 1e-7


def test_separable_filter_and_laplacian_against_scipy():
    image = noise(1, 1, 17, 22)
    plane, taps = image[0, 0].numpy(), [0.5, -1.0, 2.0, 0.25, 3.0]
    expected = ndimage.correlate(plane, np.outer(taps, taps), mode="nearest")
    assert np.abs(filters.separable(image, taps)[0, 0].numpy() - expected).max() < 1e-5
    every_second = filters.separable(image, taps, step=2)[0, 0].numpy()
    assert np.abs(every_second - expected[::2, ::2]).max() < 1e-5
    expected = ndimage.laplace(plane, mode="nearest")
    assert np.abs(filters.laplacian(image)[0, 0].numpy() - expected).max() < 1e-6


@pytest.mark.parametrize(("radius", "epsilon"), [(2, 1e-6), (3, 0.1), (30, 0.3)])
def test_guided_filter_is_the_mean_of_ridge_regressions(radius, epsilon):
    height, width = 12, 15
    guide, image = noise(1, 1, height, width), noise(1, 1, height, width, seed=1)
    guide[..., :6, :6] = 0.25  # windows without variance
    x, y = guide[0, 0].double().numpy(), image[0, 0].double().numpy()
    fits = np.zeros((height, width, 2))

    def window(row, column):
        rows = slice(max(0, row - radius), row + radius + 1)
        return rows, slice(max(0, column - radius), column + radius + 1)

    for row in range(height):
        for column in range(width):
            guides, images = x[window(row, column)].ravel(), y[window(row, column)].ravel()
            design = np.stack([guides, np.ones_like(guides)], axis=1)
            penalty = np.diag([epsilon * guides.size, 0])
            fits[row, column] = np.linalg.solve(design.T @ design + penalty, design.T @ images)
    expected = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            slope, intercept = fits[window(row, column)].mean((0, 1))
            expected[row, column] = slope * x[row, column] + intercept
    filtered = filters.guided_filter(guide, image, radius, epsilon)[0, 0].numpy()
    assert np.abs(filtered - expected).max() < 1e-6


def test_guided_filter_resolves_small_variances_on_a_bright_guide():
    """A constant added to the guide changes nothing, although E[x²] − E[x]² loses its digits."""
    guide, image = 0.9 + 1e-3 * noise(1, 1, 40, 40), noise(1, 1, 40, 40, seed=1)
    expected = filters.guided_filter(guide.double() - 0.9, image.double(), 7, 1e-6)
    filtered = filters.guided_filter(guide, image, 7, 1e-6)
    torch.testing.assert_close(filtered.double(), expected, atol=1e-6, rtol=0)


# Laplacian pyramid


@given(height=sides, width=sides, levels=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_the_pyramid_of_any_size_is_exact(height, width, levels):
    image = noise(1, 2, height, width)
    pyramid = decompose(image, levels)
    assert [level.shape[-1] for level in pyramid] == [
        -(-width // 2**level) for level in range(levels + 1)
    ]
    torch.testing.assert_close(reconstruct(pyramid), image, atol=1e-6, rtol=0)


def test_reduce_and_expand_are_those_of_burt_and_adelson():
    """REDUCE: Σ w(m) g(2i+m); EXPAND: 2 Σ w(m) g((i−m)/2) over whole positions; a = 0.4."""
    kernel = {-2: 0.05, -1: 0.25, 0: 0.4, 1: 0.25, 2: 0.05}
    line = noise(11).double()
    image = line.expand(1, 1, 9, 11)

    def at(values, index):
        return values[min(max(index, 0), len(values) - 1)]

    smaller = [sum(w * at(line, 2 * i + m) for m, w in kernel.items()) for i in range(6)]
    torch.testing.assert_close(reduce(image)[0, 0, 2], torch.stack(smaller))
    larger = [
        2 * sum(w * at(line, (i - m) // 2) for m, w in kernel.items() if (i - m) % 2 == 0)
        for i in range(21)
    ]
    torch.testing.assert_close(expand(image, (17, 21))[0, 0, 8], torch.stack(larger))


@pytest.mark.parametrize("name", ["laplacian", "wavelet"])
def test_of_two_scales_the_fused_image_has_both(name):
    """Fine stripes in one source, a coarse wave in the other: near their sum."""
    columns = torch.arange(128, dtype=torch.float32)
    fine = 0.1 * torch.cos(torch.pi * columns)
    coarse = 0.1 * torch.sin(2 * torch.pi * columns / 16)
    fine_image, coarse_image = ((0.5 + x).expand(1, 1, 128, 128) for x in (fine, coarse))
    fused = fuse(name, fine_image, coarse_image, levels=5)[0, 0, 64] - 0.5
    wanted = fine + coarse
    assert F.cosine_similarity(fused, wanted, dim=0) > 0.95
    assert (fused @ fine) / (fine @ fine) > 0.9
    assert (fused @ coarse) / (coarse @ coarse) > 0.8


def test_the_larger_magnitude_wins_and_keeps_its_sign():
    first, second = torch.tensor([-3.0, 1.0, 2.0, -2.0]), torch.tensor([2.0, -4.0, 2.0, 2.0])
    assert larger_magnitude(first, second).tolist() == [-3, -4, 2, 0]


def test_shares_are_proportional_and_equal_where_there_is_nothing():
    first, second = torch.tensor([0.0, 0.0, 3.0]), torch.tensor([0.0, 2.0, 1.0])
    assert share(first, second).tolist() == [0.5, 0, 0.75]


# each method against its equations


def test_guided_filter_fusion_follows_equations_7_to_14():
    infrared, visible = texture(40, 44, seed=1), texture(40, 44, seed=2)
    config = GuidedFilterConfig(mean_size=9, base_radius=6, detail_radius=3)
    planes = [image.double().numpy()[0, 0] for image in (infrared, visible)]
    offsets = np.arange(-5, 6)
    gaussian = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 5.0**2))
    saliencies = [
        ndimage.correlate(
            np.abs(ndimage.laplace(plane, mode="nearest")),
            gaussian / gaussian.sum(),
            mode="nearest",
        )
        for plane in planes
    ]
    expected = np.zeros_like(planes[0])
    for layer, (radius, epsilon) in enumerate([(6, 0.3), (3, 1e-6)]):
        weights = []
        for index, plane in enumerate(planes):
            wins = (saliencies[index] >= saliencies[1 - index]).astype(float)
            guided = filters.guided_filter(
                torch.tensor(plane)[None, None], torch.tensor(wins)[None, None], radius, epsilon
            )
            weights.append(np.clip(guided[0, 0].numpy(), 0, 1))
        for plane, weight in zip(planes, weights, strict=True):
            base = ndimage.uniform_filter(plane, 9, mode="nearest")
            part = plane - base if layer else base
            expected += part * weight / sum(weights)
    fused = GuidedFilter(config)(infrared, visible.expand(-1, 3, -1, -1))
    assert np.abs(fused[0, 0].numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_two_scale_weights_details_by_their_saliency(exponent):
    infrared, visible = texture(40, 44, seed=1), texture(40, 44, seed=2)
    bases, details, saliencies = [], [], []
    for image in (infrared, visible):
        plane = image.double().numpy()[0, 0]
        bases.append(ndimage.uniform_filter(plane, 35, mode="nearest"))
        details.append(plane - bases[-1])
        median = ndimage.median_filter(plane, 3, mode="nearest")
        saliencies.append(np.abs(bases[-1] - median) ** exponent)
    detail = sum(d * s for d, s in zip(details, saliencies, strict=True)) / sum(saliencies)
    expected = np.clip(sum(bases) / 2 + detail, 0, 1)
    fused = TwoScale(TwoScaleConfig(exponent=exponent))(infrared, visible.expand(-1, 3, -1, -1))
    assert np.abs(fused[0, 0].numpy() - expected).max() < 1e-4


def test_one_level_of_haar_wavelets_by_hand():
    """Blocks of 2×2: mean, horizontal, vertical and diagonal difference."""
    infrared, visible = noise(1, 1, 16, 18), noise(1, 1, 16, 18, seed=1)
    signs = torch.tensor(
        [[[1, 1], [1, 1]], [[1, 1], [-1, -1]], [[1, -1], [1, -1]], [[1, -1], [-1, 1]]]
    ).float()
    first, second = (
        F.conv2d(image, signs.unsqueeze(1) / 2, stride=2) for image in (infrared, visible)
    )
    fused = torch.where(first.abs() > second.abs(), first, second)
    fused[:, 0] = (first[:, 0] + second[:, 0]) / 2
    expected = F.conv_transpose2d(fused, signs.unsqueeze(1) / 2, stride=2).clamp(0, 1)
    actual = fuse("wavelet", infrared, visible, wavelet="haar", levels=1)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def test_small_images_get_fewer_wavelet_levels(recwarn):
    image, other = noise(1, 1, 16, 16), noise(1, 1, 16, 16, seed=1)
    many = fuse("wavelet", image, other, levels=9)
    assert torch.equal(many, fuse("wavelet", image, other, levels=2))
    assert not torch.equal(many, fuse("wavelet", image, other, levels=1))
    assert not recwarn.list
    assert WaveletConfig().levels == 3
