"""The twelve metrics of protocol cddfuse the plain way: one pair at a time, NumPy and SciPy.

As evaluators of the field compute them: float32 images, `scipy.signal.convolve2d` for every window,
scikit-learn's mutual information, scikit-image's SSIM, nothing shared between metrics.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity
from sklearn.metrics import mutual_info_score

Image = NDArray[np.float32]


def entropy(fused: Image, *_: Image) -> float:
    counts = np.bincount(np.round(fused).astype(np.uint8).flatten()) / fused.size
    return float(-np.sum(counts * np.log2(counts + (counts == 0))))


def standard_deviation(fused: Image, *_: Image) -> float:
    return float(np.std(fused))


def spatial_frequency(fused: Image, *_: Image) -> float:
    columns = np.mean((fused[:, 1:] - fused[:, :-1]) ** 2)
    rows = np.mean((fused[1:] - fused[:-1]) ** 2)
    return float(np.sqrt(rows + columns))


def average_gradient(fused: Image, *_: Image) -> float:
    vertical, horizontal = np.gradient(fused)
    return float(np.mean(np.sqrt((horizontal**2 + vertical**2) / 2)))


def mutual_information(fused: Image, infrared: Image, visible: Image) -> float:
    levels = fused.flatten()
    parts = (mutual_info_score(levels, source.flatten()) for source in (infrared, visible))
    return float(sum(parts))


def mean_squared_error(fused: Image, infrared: Image, visible: Image) -> float:
    return float((np.mean((infrared - fused) ** 2) + np.mean((visible - fused) ** 2)) / 2)


def correlation(first: Image, second: Image) -> float:
    first, second = first - np.mean(first), second - np.mean(second)
    return float(np.sum(first * second) / np.sqrt(np.sum(first**2) * np.sum(second**2)))


def correlation_coefficient(fused: Image, infrared: Image, visible: Image) -> float:
    return (correlation(infrared, fused) + correlation(visible, fused)) / 2


def peak_signal_noise_ratio(fused: Image, infrared: Image, visible: Image) -> float:
    error = mean_squared_error(fused, infrared, visible)
    return float(10 * np.log10(np.max(fused) ** 2 / error))


def correlations_of_differences(fused: Image, infrared: Image, visible: Image) -> float:
    return correlation(infrared, fused - visible) + correlation(visible, fused - infrared)


def visual_information_fidelity(fused: Image, infrared: Image, visible: Image) -> float:
    return _vifp(infrared, fused) + _vifp(visible, fused)


def _vifp(reference: Image, distorted: Image) -> float:
    gained = carried = 0.0
    for scale in range(1, 5):
        window = _gaussian(2 ** (5 - scale) + 1)

        def local(image: Image, window: Image = window) -> Image:
            return convolve2d(image, window, mode="valid")

        if scale > 1:
            reference, distorted = local(reference)[::2, ::2], local(distorted)[::2, ::2]
        mean_r, mean_d = local(reference), local(distorted)
        variance_r = np.maximum(local(reference * reference) - mean_r * mean_r, 0)
        variance_d = np.maximum(local(distorted * distorted) - mean_d * mean_d, 0)
        covariance = local(reference * distorted) - mean_r * mean_d
        gain = covariance / (variance_r + 1e-10)
        residual = variance_d - gain * covariance
        flat = variance_r < 1e-10
        gain[flat], residual[flat], variance_r[flat] = 0, variance_d[flat], 0
        flat = variance_d < 1e-10
        gain[flat], residual[flat] = 0, 0
        opposed = gain < 0
        residual[opposed], gain[opposed] = variance_d[opposed], 0
        residual = np.maximum(residual, 1e-10)
        gained += np.sum(np.log10(1 + gain * gain * variance_r / (residual + 2)))
        carried += np.sum(np.log10(1 + variance_r / 2))
    return float(gained / carried) if carried else 1.0


def _gaussian(size: int) -> Image:
    offsets = np.arange(size) - size // 2
    window = np.exp(-(offsets**2 + offsets[:, None] ** 2) / (2 * (size / 5) ** 2))
    return window / window.sum()


def edge_transfer(fused: Image, infrared: Image, visible: Image) -> float:
    (strength_f, angle_f), *sources = (_edges(image) for image in (fused, infrared, visible))
    kept = total = 0.0
    for strength, angle in sources:
        stronger, weaker = strength > strength_f, strength < strength_f
        ratio = strength_f.copy()
        ratio[stronger] = strength_f[stronger] / strength[stronger]
        ratio[weaker] = strength[weaker] / strength_f[weaker]
        turn = 1 - np.abs(angle - angle_f) / (np.pi / 2)
        quality = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5)))
        quality = quality * 0.9879 / (1 + np.exp(-22 * (turn - 0.8)))
        kept += np.sum(quality * strength)
        total += np.sum(strength)
    return float(kept / total)


def _edges(image: Image) -> tuple[Image, Image]:
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
    horizontal = convolve2d(image, sobel, mode="same")
    vertical = convolve2d(image, -sobel.T, mode="same")
    angle = np.full_like(image, np.pi / 2)
    steep = horizontal != 0
    angle[steep] = np.arctan(vertical[steep] / horizontal[steep])
    return np.sqrt(horizontal**2 + vertical**2), angle


def structural_similarities(fused: Image, infrared: Image, visible: Image) -> float:
    parts = (structural_similarity(fused, image, data_range=255) for image in (infrared, visible))
    return float(sum(parts))


PLAIN: dict[str, Callable[..., float]] = {
    "EN": entropy,
    "SD": standard_deviation,
    "SF": spatial_frequency,
    "AG": average_gradient,
    "MI": mutual_information,
    "MSE": mean_squared_error,
    "CC": correlation_coefficient,
    "PSNR": peak_signal_noise_ratio,
    "SCD": correlations_of_differences,
    "VIF": visual_information_fidelity,
    "Qabf": edge_transfer,
    "SSIM": structural_similarities,
}
