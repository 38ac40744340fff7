import torch
from hypothesis import given
from hypothesis import strategies as st

from fusion.images.color import luminance, restore_color, stretch


def images(seed, channels, low=0.0, high=1.0):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(2, channels, 9, 11, generator=generator)


def test_luminance_is_bt601():
    colors = torch.eye(3).view(3, 3, 1, 1)
    torch.testing.assert_close(luminance(colors).flatten(), torch.tensor([0.299, 0.587, 0.114]))


@given(st.integers(0, 1000))
def test_chrominance_stays_where_the_result_fits_the_cube(seed):
    visible = images(seed, 3, 0.3, 0.7)
    fused = luminance(visible) + images(seed + 1, 1, -0.25, 0.25)
    colored = restore_color(fused, visible)
    torch.testing.assert_close(luminance(colored), fused, atol=1e-5, rtol=0)
    for channel in (0, 2):  # R − Y and B − Y are Cr and Cb up to a factor
        before = visible[:, channel] - luminance(visible)[:, 0]
        after = colored[:, channel] - luminance(colored)[:, 0]
        torch.testing.assert_close(before, after, atol=1e-5, rtol=0)


@given(st.integers(0, 1000))
def test_color_leaving_the_cube_is_clipped_never_wrapped(seed):
    colored = restore_color(images(seed, 1), images(seed + 1, 3))
    assert colored.min() >= 0
    assert colored.max() <= 1


def test_gray_stays_gray():
    gray = images(0, 1).expand(-1, 3, -1, -1)
    colored = restore_color(images(1, 1), gray)
    torch.testing.assert_close(colored[:, 0], colored[:, 1])
    torch.testing.assert_close(colored[:, 0], colored[:, 2])


@given(st.integers(0, 1000))
def test_every_image_is_stretched_to_its_own_full_range(seed):
    stretched = stretch(images(seed, 1, 0.2, 0.6))
    torch.testing.assert_close(stretched.amin((1, 2, 3)), torch.zeros(2))
    torch.testing.assert_close(stretched.amax((1, 2, 3)), torch.ones(2))


def test_a_constant_image_is_not_stretched():
    flat = torch.full((1, 1, 4, 4), 0.3)
    assert torch.equal(stretch(flat), flat)
