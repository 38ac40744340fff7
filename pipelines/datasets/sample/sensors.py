"""What the two cameras make of a canvas.

Visible: illumination × reflectance, plus light sources and their glow, plus shot and read noise,
exposed and gamma-coded. Infrared (8-14 µm): temperature, blurred by the optics, with temporal
noise and the column pattern of an uncooled detector, stretched by automatic gain.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.sample.canvas import OVERSAMPLING, Canvas

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Light:
    """Light of a scene: linear radiance units, 1 is white paper in the sun.

    Attributes:
        night: whether the sun is down.
        ambient: red, green, blue of sky light, everywhere.
        headlights: strength of the own head lights.
        lamps: street lamps (column, row, radius) in oversampled pixels; each lights its pool.
        exposure: gain before gamma coding.
        contrast: how far warm things stand out; less in the sun.
    """

    night: bool
    ambient: tuple[float, float, float]
    headlights: float
    lamps: tuple[tuple[float, float, float], ...]
    exposure: float
    contrast: float


def visible_image(
    canvas: Canvas, shadow: Field, light: Light, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """RGB, H×W×3 uint8. `shadow` is the share of ambient light that is left, oversampled."""
    index = canvas.map
    color = _table(canvas, "color")[index]
    fine, ground = _table(canvas, "texture")[index], _table(canvas, "ground")[index]
    texture = 1 + fine * _noise(index.shape, 1.5, rng) + ground * _asphalt(canvas, rng)
    lamps, beam = _pools(canvas, light)
    illumination = (
        np.asarray(light.ambient, np.float32) * shadow[..., None]
        + lamps[..., None] * np.array([1.0, 0.8, 0.5], np.float32)
        + beam[..., None]
    )
    emission = _table(canvas, "emission")[index]
    radiance = color * texture.clip(0.2, 2)[..., None] * illumination
    if light.night:
        radiance += color * (_table(canvas, "retro")[index] * light.headlights)[..., None]
        radiance += emission + 0.6 * cv2.GaussianBlur(emission, (0, 0), 0.03 * index.shape[1])
    else:
        radiance += 0.35 * emission
    signal = _downsample(radiance) * light.exposure
    grain = rng.standard_normal(signal.shape, np.float32)
    read, shot = (0.004, 0.025) if light.night else (0.003, 0.012)
    signal += grain * np.sqrt(read**2 + shot**2 * signal)
    coded = signal.clip(0, 1) ** (1 / 2.2)
    return np.rint(coded * 255).astype(np.uint8)


def infrared_image(
    canvas: Canvas, shadow: Field, light: Light, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Gray levels, H×W uint8. Ground in the shade is cooler."""
    index = canvas.map
    table = _table(canvas, "temperature")
    temperature = np.where(table > 0, table * light.contrast, table)[index]
    temperature += 0.3 * _noise(index.shape, 6, rng)
    if not light.night:
        temperature -= 3 * (1 - shadow)
    seen = cv2.GaussianBlur(_downsample(temperature), (0, 0), 0.8 * max(1, _scale(index)))
    height, width = seen.shape
    drift = cv2.resize(rng.standard_normal((3, 4), np.float32), (width, height))
    columns = rng.standard_normal((1, width), np.float32)
    seen = seen + 0.35 * drift + 0.18 * columns + 0.28 * rng.standard_normal(seen.shape, np.float32)
    low, high = np.percentile(seen, [0.5, 99.7])
    span = max(high - low, 9.0 if light.night else 12.0)
    levels = ((seen - low) / span).clip(0, 1) * 235 + 10
    rounded: NDArray[np.uint8] = np.rint(levels).astype(np.uint8)
    return rounded


def _scale(index: NDArray[np.int32]) -> float:
    """Image height in units of 128 pixels."""
    return len(index) / OVERSAMPLING / 128


def _table(canvas: Canvas, name: str) -> Field:
    return np.array([getattr(surface, name) for surface in canvas.surfaces], np.float32)


def _downsample(field: Field) -> Field:
    height, width = field.shape[:2]
    size = (width // OVERSAMPLING, height // OVERSAMPLING)
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)


def _noise(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> Field:
    """Smooth noise of unit standard deviation; `scale` is its grain in oversampled pixels."""
    small = (int(shape[0] / scale) + 2, int(shape[1] / scale) + 2)
    coarse = rng.standard_normal(small, np.float32)
    smooth = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth * 1.3, np.float32)


def _asphalt(canvas: Canvas, rng: np.random.Generator) -> Field:
    """Texture that lies on the ground: speckle of 5 cm on patches of 1 m, in perspective."""
    right, ahead = canvas.camera.ground()
    tile = rng.standard_normal((128, 128), np.float32)
    tile += 4 * cv2.GaussianBlur(tile, (0, 0), 4)
    across, along = right * 20 % 128, ahead * 20 % 128
    speckle = cv2.remap(tile, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(speckle * np.clip(12 / ahead, 0, 1), np.float32)


def _pools(canvas: Canvas, light: Light) -> tuple[Field, Field]:
    """Light of the street lamps, and of the own head lights on the road; zero by day."""
    camera = canvas.camera
    lamps = np.zeros(canvas.map.shape, np.float32)
    if not light.night:
        return lamps, lamps
    rows = np.arange(camera.height, dtype=np.float32)[:, None]
    columns = np.arange(camera.width, dtype=np.float32)[None]
    for column, row, radius in light.lamps:
        distance = ((columns - column) / radius) ** 2 + ((rows - row) / (0.35 * radius)) ** 2
        lamps += 0.12 * np.exp(-distance)
    across = ((columns - camera.width / 2) / (0.33 * camera.width)) ** 2
    depth = ((rows - camera.horizon - 0.36 * camera.height) / (0.2 * camera.height)) ** 2
    below = 1 / (1 + np.exp(-(rows - camera.horizon - 0.12 * camera.height) / 4))
    return lamps, (light.headlights * 0.3 * np.exp(-across - depth) * below).astype(np.float32)
