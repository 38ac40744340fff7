"""The things in a sample scene, as coloured and tempered polygons in unit coordinates.

A figure stands on (0, 0) and is one high; x runs to the right, y upwards. Temperature is what an
8-bit thermal camera shows, 0 cold to 1 hot; reflectance is RGB in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Polygon = NDArray[np.float32]
Color = tuple[float, float, float]

GLASS: Color = (0.08, 0.10, 0.14)
RUBBER: Color = (0.05, 0.05, 0.05)
METAL: Color = (0.55, 0.56, 0.58)


@dataclass(frozen=True)
class Part:
    """One polygon: N×2 unit coordinates, reflectance, temperature, own light (for lamps)."""

    outline: Polygon
    color: Color
    temperature: float
    light: Color = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Figure:
    """Parts from back to front, and the height of the thing relative to a person."""

    parts: list[Part]
    height: float


def box(left: float, bottom: float, right: float, top: float) -> Polygon:
    """An upright rectangle."""
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]], np.float32)


def disc(x: float, y: float, radius: float, flatten: float = 1.0) -> Polygon:
    """A circle, or an ellipse `flatten` times as high as wide."""
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + flatten * radius * np.sin(angles)], 1).astype(
        np.float32
    )


def shape(*points: tuple[float, float]) -> Polygon:
    """Any polygon."""
    return np.array(points, np.float32)


def _paint(random: Generator) -> Color:
    hue = random.uniform(0, 1)
    base = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    red, green, blue = random.uniform(0.25, 0.9) * (1 - random.uniform(0.3, 0.9) * (1 - base))
    return float(red), float(green), float(blue)


def person(random: Generator) -> Figure:
    """Clothes of any colour, warm all over, the bare head warmest."""
    coat, trousers = _paint(random), _paint(random)
    warm = random.uniform(0.72, 0.85)
    step = random.uniform(0.03, 0.10)
    parts = [
        Part(
            shape((-0.02, 0.5), (-0.10, 0.5), (-0.06 - step, 0), (0.02 - step, 0)), trousers, warm
        ),
        Part(shape((0.02, 0.5), (0.10, 0.5), (0.06 + step, 0), (-0.02 + step, 0)), trousers, warm),
        Part(shape((-0.12, 0.45), (0.12, 0.45), (0.15, 0.82), (-0.15, 0.82)), coat, warm + 0.05),
        Part(disc(0, 0.91, 0.075, 1.2), (0.6, 0.45, 0.36), 0.97),
    ]
    return Figure(parts, 1.0)


def _wheels(places: tuple[float, ...], radius: float, warm: float) -> list[Part]:
    return [Part(disc(x, radius, radius), RUBBER, warm) for x in places]


def car(random: Generator) -> Figure:
    """Low body, cabin with dark glass; hood and wheels are warm when it has been driven."""
    paint, driven = _paint(random), random.uniform(0.45, 0.8)
    parts = [
        Part(shape((-0.62, 0.5), (-0.4, 0.98), (0.35, 0.98), (0.6, 0.5)), paint, 0.42),
        Part(shape((-0.5, 0.55), (-0.34, 0.9), (-0.05, 0.9), (-0.05, 0.55)), GLASS, 0.30),
        Part(shape((0.02, 0.55), (0.02, 0.9), (0.3, 0.9), (0.47, 0.55)), GLASS, 0.30),
        Part(box(-0.95, 0.15, 0.95, 0.56), paint, 0.44),
        Part(box(0.55, 0.2, 0.95, 0.54), paint, driven),
        Part(box(0.88, 0.36, 0.95, 0.48), (0.9, 0.9, 0.8), driven, (0.9, 0.85, 0.6)),
        Part(box(-0.95, 0.36, -0.89, 0.48), (0.7, 0.1, 0.1), 0.44, (0.5, 0.02, 0.02)),
        *_wheels((-0.55, 0.55), 0.2, driven),
    ]
    return Figure(parts, 0.85)


def bus(random: Generator) -> Figure:
    """A long box with a row of windows; engine at the back."""
    paint, warm = _paint(random), random.uniform(0.55, 0.75)
    windows = [Part(box(x, 0.5, x + 0.22, 0.82), GLASS, 0.36) for x in np.arange(-0.92, 0.75, 0.28)]
    parts = [
        Part(box(-1.0, 0.1, 1.0, 1.0), paint, 0.42),
        Part(box(-1.0, 0.12, -0.7, 0.42), paint, warm),
        *windows,
        Part(box(-1.0, 0.86, 1.0, 0.92), (0.9, 0.9, 0.9), 0.42),
        *_wheels((-0.6, 0.6), 0.13, warm),
    ]
    return Figure(parts, 1.45)


def truck(random: Generator) -> Figure:
    """A pale cargo box behind a coloured cab; the engine is in the cab."""
    cab, warm = _paint(random), random.uniform(0.6, 0.85)
    pale = random.uniform(0.65, 0.9)
    parts = [
        Part(box(-0.9, 0.25, 0.35, 1.0), (pale, pale, 0.95 * pale), 0.36),
        Part(box(-0.9, 0.12, 0.9, 0.27), RUBBER, 0.45),
        Part(shape((0.4, 0.15), (0.9, 0.15), (0.9, 0.5), (0.75, 0.78), (0.4, 0.78)), cab, 0.45),
        Part(shape((0.55, 0.5), (0.86, 0.5), (0.73, 0.72), (0.55, 0.72)), GLASS, 0.32),
        Part(box(0.45, 0.15, 0.9, 0.4), cab, warm),
        *_wheels((-0.6, -0.3, 0.62), 0.15, warm),
    ]
    return Figure(parts, 1.3)


def motorcycle(random: Generator) -> Figure:
    """Two fat wheels and a hot engine between them."""
    paint = _paint(random)
    parts = [
        *_wheels((-0.55, 0.55), 0.3, 0.5),
        Part(shape((-0.6, 0.5), (0.3, 0.45), (0.45, 0.95), (0.1, 0.7), (-0.6, 0.75)), paint, 0.5),
        Part(disc(0, 0.35, 0.26), METAL, 0.95),
        Part(box(0.35, 0.85, 0.6, 0.95), METAL, 0.5),
    ]
    return Figure(parts, 0.6)


def bike(random: Generator) -> Figure:
    """Two thin wheels and a frame; nothing on it is warm."""
    paint, cold = _paint(random), 0.24
    tube = 0.06
    frame = [
        ((-0.55, 0.32), (-0.2, 0.75)),
        ((-0.2, 0.75), (0.4, 0.78)),
        ((0.4, 0.78), (0.0, 0.3)),
        ((0.0, 0.3), (-0.55, 0.32)),
        ((0.4, 0.95), (0.6, 0.32)),
    ]
    spokes = [Part(disc(x, 0.32, 0.32), METAL, cold) for x in (-0.55, 0.6)]
    bars = [
        Part(shape((ax, ay - tube), (bx, by - tube), (bx, by + tube), (ax, ay + tube)), paint, cold)
        for (ax, ay), (bx, by) in frame
    ]
    return Figure([*spokes, *bars, Part(box(-0.32, 0.86, -0.08, 0.95), RUBBER, cold)], 0.62)


def lamp(random: Generator) -> Figure:
    """A lantern: bright and hot."""
    warm = random.uniform(0.85, 1.0)
    lantern = shape((-0.32, 0.1), (0.32, 0.1), (0.5, 0.7), (0, 1.0), (-0.5, 0.7))
    glow: Color = (1.0, float(random.uniform(0.8, 0.95)), 0.6)
    return Figure([Part(lantern, (0.85, 0.83, 0.7), warm, glow)], 0.45)


def cone(random: Generator) -> Figure:
    """Orange with a white band, at the temperature of the road."""
    orange, road = (0.95, float(random.uniform(0.3, 0.42)), 0.05), -1.0
    parts = [
        Part(box(-0.42, 0, 0.42, 0.12), orange, road),
        Part(shape((-0.33, 0.1), (0.33, 0.1), (0.06, 1.0), (-0.06, 1.0)), orange, road),
        Part(
            shape((-0.22, 0.42), (0.22, 0.42), (0.16, 0.62), (-0.16, 0.62)),
            (0.95, 0.95, 0.95),
            road,
        ),
    ]
    return Figure(parts, 0.5)


def car_stop(random: Generator) -> Figure:
    """A low yellow and black block on the ground, at the temperature of the road."""
    parts = [Part(box(-1.6, 0, 1.6, 1), (0.9, float(random.uniform(0.7, 0.8)), 0.1), -1.0)]
    parts += [Part(box(x, 0, x + 0.4, 1), RUBBER, -1.0) for x in (-1.2, -0.2, 0.8)]
    return Figure(parts, 0.22)


def bump(random: Generator) -> Figure:
    """A speed bump: wide yellow stripes across the lane, at the temperature of the road."""
    yellow: Color = (float(random.uniform(0.75, 0.9)), 0.65, 0.1)
    slices = [
        Part(shape((x, 0), (x + 0.8, 0), (x + 1.0, 1), (x + 0.2, 1)), tint, -1.0)
        for x, tint in zip(np.arange(-3.2, 3.2, 0.8), [yellow, RUBBER] * 4, strict=True)
    ]
    return Figure(slices, 0.24)


def guardrail(random: Generator) -> Figure:
    """Two metal beams on posts; metal mirrors the cold sky."""
    cold = random.uniform(0.10, 0.16)
    beams = [Part(box(-3.2, y, 3.2, y + 0.22), METAL, cold) for y in (0.35, 0.72)]
    posts = [Part(box(x, 0, x + 0.16, 1.0), METAL, cold) for x in np.arange(-3.1, 3.1, 1.2)]
    return Figure(posts + beams, 0.55)


FIGURES: dict[str, Callable[[Generator], Figure]] = {
    "People": person,
    "Car": car,
    "Bus": bus,
    "Motorcycle": motorcycle,
    "Lamp": lamp,
    "Truck": truck,
    "person": person,
    "car": car,
    "bike": bike,
    "car stop": car_stop,
    "guardrail": guardrail,
    "color cone": cone,
    "bump": bump,
}
"""By the names of M3FD's and MSRS's classes; temperature −1 means the ground's."""
