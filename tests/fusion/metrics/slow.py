"""The metrics beyond the published twelve from their definitions: loops over windows, pixels."""

import numpy as np
from scipy.ndimage import sobel
from scipy.signal import correlate2d


def nabf(fused, infrared, visible):
    edges = [_edges(image) for image in (fused, infrared, visible)]
    artifacts = total = 0.0
    for y in range(fused.shape[0]):
        for x in range(fused.shape[1]):
            (strength_f, angle_f), *sources = (
                (strength[y, x], angle[y, x]) for strength, angle in edges
            )
            added = all(strength_f > strength for strength, _ in sources)
            for strength, angle in sources:
                both = strength > 0 and strength_f > 0
                ratio = min(strength, strength_f) / max(strength, strength_f) if both else 0.0
                turn = abs(abs(angle - angle_f) - np.pi / 2) * 2 / np.pi
                kept_strength = 0.9999 / (1 + np.exp(-19 * (ratio - 0.5)))
                kept_angle = 0.9995 / (1 + np.exp(-22 * (turn - 0.5)))
                weight = strength**1.5 if strength >= 2 else 0.001
                artifacts += added * weight * (1 - np.sqrt(kept_strength * kept_angle))
                total += weight
    return artifacts / total


def _edges(image):
    horizontal, vertical = (sobel(image, axis, mode="mirror") / 8 for axis in (1, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.nan_to_num(np.arctan(vertical / horizontal))
    return np.hypot(horizontal, vertical), angle


def fmi(fused, infrared, visible):
    values = []
    for source in (infrared, visible):
        for y in range(fused.shape[0] - 2):
            for x in range(fused.shape[1] - 2):
                window = np.s_[y : y + 3, x : x + 3]
                values.append(_information(source[window].T.ravel(), fused[window].T.ravel()))
    return np.mean(values)


def _information(source, fused):
    if (source == fused).all():
        return 1.0
    p, q = _marginal(source), _marginal(fused)
    joint = _joint(p, q)
    entropies = _bits(p) + _bits(q)
    return 2 * (entropies - _bits(joint)) / entropies if entropies else 0.0


def _marginal(window):
    spread = window.max() - window.min()
    scaled = (window - window.min()) / spread if spread else np.ones_like(window)
    return scaled / scaled.sum()


def _joint(p, q):
    correlation = 0.0 if np.ptp(p) == 0 or np.ptp(q) == 0 else np.corrcoef(p, q)[0, 1]
    below = [np.concatenate([[0], np.cumsum(marginal)]) for marginal in (p, q)]
    bound = np.zeros((10, 10))
    for i in range(10):
        for j in range(10):
            a, b = below[0][i], below[1][j]
            bound[i, j] = min(a, b) if correlation >= 0 else max(a + b - 1, 0)
    covariance = (bound - np.outer(*below))[1:, 1:].sum()
    deviations = []
    for marginal in (p, q):
        positions = np.arange(1, 10)
        mean = (positions * marginal).sum()
        deviations.append(np.sqrt((positions**2 * marginal).sum() - mean**2))
    spread = np.prod(deviations)
    share = correlation * spread / covariance if correlation and spread else 0.0
    extreme = np.diff(np.diff(bound, axis=0), axis=1)
    return share * extreme + (1 - share) * np.outer(p, q)


def _bits(probabilities):
    """The published code takes the real part of the logarithm of entries below 0."""
    present = probabilities[probabilities != 0]
    return -(present * np.log2(np.abs(present))).sum()


def qcb(fused, infrared, visible):
    masked = []
    for image in (fused, infrared, visible):
        filtered = _filtered(
            _stretched(image),
            30,
            lambda r: np.exp(-((r / 15.387) ** 2)) - 0.7622 * np.exp(-((r / 1.3456) ** 2)),
        )
        offsets = np.arange(-15, 16)
        squares = offsets[:, None] ** 2 + offsets**2
        near, far = (
            correlate2d(filtered, np.exp(-squares / (2 * s * s)) / (2 * np.pi * s * s), "same")
            for s in (2, 4)
        )
        contrast = np.abs(near / far - 1)
        masked.append(contrast**3 / (contrast**2 + 0.0001))
    fused, *sources = masked
    saliency = sources[0] ** 2 + sources[1] ** 2
    kept = [np.where(s < fused, s / fused, fused / s) for s in sources]
    return np.mean(sum(s**2 / saliency * k for s, k in zip(sources, kept, strict=True)))


def qcv(fused, infrared, visible):
    fused, *sources = (_stretched(image) for image in (fused, infrared, visible))
    weighted = weights = 0.0
    for source in sources:
        error = _filtered(
            source - fused,
            8,
            lambda r: 2.6 * (0.0192 + 0.144 * r) * np.exp(-((0.144 * r) ** 1.1)),
        )
        gradient = np.hypot(*(sobel(source, axis, mode="constant") for axis in (0, 1)))
        for y in range(0, source.shape[0], 16):
            for x in range(0, source.shape[1], 16):
                block = np.s_[y : y + 16, x : x + 16]
                saliency = (gradient[block] ** 5).sum()
                weighted += saliency * (error[block] ** 2).sum() / 256
                weights += saliency
    return weighted / weights


def _stretched(image):
    return np.round((image - image.min()) / (image.max() - image.min()) * 255)


def _filtered(image, divisor, sensitivity):
    """Full spectrum, frequencies −1..1 centered, times the image's sides over a divisor."""
    axes = [np.fft.fftshift(np.fft.fftfreq(side)) * 2 * side / divisor for side in image.shape]
    radius = np.hypot(axes[0][:, None], axes[1])
    spectrum = np.fft.fftshift(np.fft.fft2(image)) * sensitivity(radius)
    return np.fft.ifft2(np.fft.ifftshift(spectrum)).real
