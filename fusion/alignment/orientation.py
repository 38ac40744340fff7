"""Fields of gradient orientation, which infrared and visible images have in common.

An edge between warm and cold is often an edge in visible light as well, but dark and bright may be
exchanged. Its orientation, modulo 180 degrees, is the same in both.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.complex64]

SMOOTHING = 1.5
"""Standard deviation, in pixels, of the Gaussian before the gradient (choice)."""

NEIGHBORHOOD = 12.0
"""Standard deviation, in pixels, of the Gaussian over which strengths are balanced (choice)."""

NOISE = 4.0
"""Gradient, in gray levels, that counts as noise: weaker ones stay weak (choice)."""


def orientation_field(image: NDArray[np.generic]) -> Field:
    """Orientation and strength of the gradient of a gray image.

    The angle of a value is twice the gradient's angle, so that a gradient and its opposite are
    equal. The magnitude is the gradient's, divided by its local root mean square (both with noise),
    so that a few strong edges do not outweigh the rest.

    Args:
        image: gray H×W, levels 0..255.

    Returns:
        Complex H×W.

    >>> ramp = np.tile(np.arange(0, 200, 4, dtype=np.uint8), (40, 1))
    >>> bool(np.allclose(orientation_field(ramp), orientation_field(196 - ramp), atol=1e-4))
    True
    """
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), SMOOTHING)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    power = cv2.GaussianBlur(across**2 + down**2, (0, 0), NEIGHBORHOOD)
    gradient = across + 1j * down
    scale = np.maximum(np.abs(gradient), 1e-6) * (np.sqrt(power) + NOISE)
    field: Field = (gradient**2 / scale).astype(np.complex64)
    return field


def correlate(infrared: Field, visible: Field, reach: int) -> NDArray[np.float32]:
    """Agreement of two fields for every displacement.

    Args:
        infrared, visible: fields of one size.
        reach: largest displacement in pixels, in both directions.

    Returns:
        (2·reach + 1)×(2·reach + 1). The value at [reach + dy, reach + dx] is the normalized
        correlation, -1..1, of the visible field with the infrared one read dx further to the right
        and dy further down.
    """
    norm = float(np.linalg.norm(infrared) * np.linalg.norm(visible))
    return sum_products(infrared, visible, reach) / np.float32(max(norm, 1e-6))


def sum_products(infrared: Field, visible: Field, reach: int) -> NDArray[np.float32]:
    """As `correlate`, not normalized: the sum of the products' real part."""
    from scipy import fft  # takes half a second to import, and few pairs are never measured

    shape = [fft.next_fast_len(max(side, reach + 1) + reach) for side in infrared.shape]
    spectrum = fft.fft2(infrared, shape) * fft.fft2(visible, shape).conj()
    products = np.roll(fft.ifft2(spectrum).real, (reach, reach), (0, 1))
    side = 2 * reach + 1
    return np.asarray(products[:side, :side], np.float32)
