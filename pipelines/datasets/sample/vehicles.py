"""Cars, buses and trucks: side profiles pulled across a width, seen in perspective.

Temperatures are degrees above the road's: running engines 7-18, tires 7; glass is
opaque, so that windows hardly show.
"""

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.sample.canvas import Canvas, Surface, disc, rectangle

Rng = np.random.Generator
Array = NDArray[np.float64]
Patch = tuple[Sequence[tuple[float, float]] | Array, Surface]
Place = Callable[[float, float, float], tuple[float, float, float]]

AWAY, TOWARD, LEFTWARD, RIGHTWARD = range(4)

GLASS = Surface((0.10, 0.13, 0.16), temperature=-0.8, texture=0.02)
TIRE = Surface((0.04, 0.04, 0.04), temperature=7.0)
RIM = Surface((0.45, 0.45, 0.47), temperature=5.0)
DARK = Surface((0.06, 0.06, 0.06), temperature=5.0)
TAIL = Surface((0.55, 0.04, 0.04), temperature=2.0, emission=(0.9, 0.04, 0.02), retro=0.1)
HEAD = Surface((0.85, 0.85, 0.8), temperature=5.0, emission=(1.8, 1.7, 1.4))
PLATE = Surface((0.75, 0.75, 0.7), retro=0.3)
GRILLE = Surface((0.06, 0.06, 0.07), temperature=13.0)
EXHAUST = Surface((0.07, 0.07, 0.07), temperature=18.0)
SIGN = Surface((0.1, 0.08, 0.02), temperature=3.0, emission=(0.9, 0.6, 0.1))


@dataclass(frozen=True)
class Body:
    """The outside of a vehicle.

    Attributes:
        profile: (along, up) in meters from the rear foot over the roof to the front foot.
        edges: what each edge of the profile is: p paint, h warm bonnet, g glass, r rear and
            f front (paint with patches).
        width: meters.
        sides: patches on both sides, (along, up).
        rear: patches on the rear, (across, up).
        front: patches on the front, (across, up).
    """

    profile: Sequence[tuple[float, float]]
    edges: str
    width: float
    sides: Sequence[Patch]
    rear: Sequence[Patch] = ()
    front: Sequence[Patch] = ()


def _both(left: float, right: float, low: float, high: float, what: Surface) -> list[Patch]:
    return [
        (rectangle(left, right, low, high), what),
        (rectangle(-right, -left, low, high), what),
    ]


def _wheels(radius: float, *along: float) -> list[Patch]:
    patches: list[Patch] = []
    for middle in along:
        patches += [(disc(middle, radius, radius), TIRE), (disc(middle, radius, radius / 2), RIM)]
    return patches


CAR = Body(
    profile=[(0, 0.3), (0, 0.95), (0.45, 1.45), (2.1, 1.5), (2.95, 1.0), (4.1, 0.85), (4.2, 0.3)],
    edges="rgpghf",
    width=1.8,
    sides=[
        ([(0.4, 1.0), (0.65, 1.38), (1.35, 1.4), (1.35, 1.0)], GLASS),
        ([(1.45, 1.0), (1.45, 1.4), (2.05, 1.4), (2.7, 1.0)], GLASS),
        *_wheels(0.33, 0.8, 3.35),
    ],
    rear=[
        *_both(0.52, 0.86, 0.68, 0.9, TAIL),
        (rectangle(-0.26, 0.26, 0.5, 0.66), PLATE),
        (rectangle(-0.88, 0.88, 0.05, 0.4), DARK),
    ],
    front=[
        (rectangle(-0.5, 0.5, 0.42, 0.7), GRILLE),
        *_both(0.5, 0.86, 0.58, 0.8, HEAD),
        (rectangle(-0.88, 0.88, 0.05, 0.36), DARK),
    ],
)

BUS = Body(
    profile=[(0, 0.35), (0, 3.0), (0.1, 3.1), (8.4, 3.1), (8.5, 3.0), (8.6, 0.35)],
    edges="rpppf",
    width=2.5,
    sides=[
        *[(rectangle(at, at + 1.2, 1.5, 2.6), GLASS) for at in (0.3, 1.65, 3.0, 4.35, 5.7)],
        (rectangle(7.15, 8.2, 0.55, 2.6), GLASS),
        *_wheels(0.5, 1.9, 6.4),
    ],
    rear=[
        (rectangle(-1.05, 1.05, 1.55, 2.65), GLASS),
        *_both(0.85, 1.17, 0.85, 1.35, TAIL),
        (rectangle(-0.75, 0.75, 0.5, 1.15), EXHAUST),
        (rectangle(-1.2, 1.2, 0.05, 0.4), DARK),
    ],
    front=[
        (rectangle(-1.14, 1.14, 1.2, 2.6), GLASS),
        (rectangle(-0.8, 0.8, 2.68, 2.98), SIGN),
        *_both(0.75, 1.14, 0.62, 0.92, HEAD),
        (rectangle(-1.2, 1.2, 0.05, 0.4), DARK),
    ],
)

CAB = Body(
    profile=[(4.25, 0.5), (4.25, 2.35), (4.7, 2.45), (5.35, 2.4), (5.75, 1.4), (5.9, 0.4)],
    edges="rppgf",
    width=2.1,
    sides=[([(4.6, 1.4), (4.6, 2.2), (5.2, 2.2), (5.55, 1.4)], GLASS), *_wheels(0.48, 5.1)],
    front=[
        (rectangle(-0.7, 0.7, 0.65, 1.2), GRILLE),
        *_both(0.66, 1.0, 0.55, 0.85, HEAD),
        (rectangle(-1.0, 1.0, 0.05, 0.45), DARK),
    ],
)

CARGO = Body(
    profile=[(0, 0.9), (0, 3.3), (4.15, 3.3), (4.15, 0.9)],
    edges="rpf",
    width=2.4,
    sides=[(rectangle(0.0, 4.2, 0.55, 0.9), DARK), *_wheels(0.48, 0.7, 1.75)],
    rear=[
        (rectangle(-0.04, 0.04, 1.0, 3.2), DARK),
        (rectangle(-1.15, 1.15, 0.05, 0.9), DARK),
        *_both(0.8, 1.15, 0.6, 0.9, TAIL),
    ],
)


def car(canvas: Canvas, right: float, ahead: float, heading: int, cold: bool, rng: Rng) -> None:
    """A saloon car, 4.2 × 1.8 × 1.5 m."""
    coat = _coat(rng, (0.0, 0.9), (0.15, 0.8))
    _draw(canvas, CAR, coat, _place(4.2, right, ahead, heading), cold)


def bus(canvas: Canvas, right: float, ahead: float, heading: int, cold: bool, rng: Rng) -> None:
    """A city bus, 8.6 × 2.5 × 3.1 m, in a strong color."""
    coat = _coat(rng, (0.6, 0.9), (0.4, 0.75))
    _draw(canvas, BUS, coat, _place(8.6, right, ahead, heading), cold)


def truck(canvas: Canvas, right: float, ahead: float, heading: int, cold: bool, rng: Rng) -> None:
    """A box truck, 5.9 × 2.4 × 3.3 m: colored cab, pale box."""
    place = _place(5.9, right, ahead, heading)
    box = Surface((0.7, 0.69, 0.66), texture=0.04).shaded(rng.uniform(0.75, 1.15))
    parts = [(CAB, _coat(rng, (0.4, 0.9), (0.25, 0.7))), (CARGO, box)]
    for body, coat in reversed(parts) if heading == TOWARD else parts:
        _draw(canvas, body, coat, place, cold)


def _coat(rng: Rng, saturation: tuple[float, float], value: tuple[float, float]) -> Surface:
    color = colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(*saturation), rng.uniform(*value))
    return Surface(color, temperature=1.8, texture=0.02)


def _place(length: float, right: float, ahead: float, heading: int) -> Place:
    """Map (along, up, across) of a vehicle whose near end or side is at `ahead`."""

    def place(along: float, up: float, across: float) -> tuple[float, float, float]:
        if heading == AWAY:
            return right + across, up, ahead + along
        if heading == TOWARD:
            return right - across, up, ahead + length - along
        direction = 1 if heading == RIGHTWARD else -1
        return right + direction * (along - length / 2), up, ahead + 1.25 - direction * across

    return place


def _draw(canvas: Canvas, body: Body, coat: Surface, place: Place, cold: bool) -> None:
    """Paint the faces that look at the camera, the far ones first."""
    eye = np.array([0.0, canvas.camera.elevation, 0.0])
    faces = [face for face in _faces(body, coat, place) if face.seen_from(eye)]
    for face in sorted(faces, key=lambda face: -face.corners[:, 2].mean()):
        for points, surface in [(face.corners, face.surface), *face.patches]:
            canvas.polygon(points, _stood(surface) if cold else surface)


@dataclass(frozen=True)
class _Face:
    """A flat part of the hull in meters (right, up, ahead), and what is painted on it."""

    corners: Array
    normal: Array
    surface: Surface
    patches: list[tuple[Array, Surface]]

    def seen_from(self, eye: Array) -> bool:
        return bool(self.normal @ (eye - self.corners.mean(0)) > 0)


def _faces(body: Body, coat: Surface, place: Place) -> list[_Face]:
    """The edges of the profile pulled across the width, and both sides."""
    half = body.width / 2
    along, up = np.mean(body.profile, axis=0)
    middle = np.array(place(along, up, 0.0))
    faces = []
    for (a0, u0), (a1, u1), kind in zip(body.profile, body.profile[1:], body.edges, strict=False):
        ring = [(a0, u0, -half), (a1, u1, -half), (a1, u1, half), (a0, u0, half)]
        corners = np.array([place(*corner) for corner in ring])
        normal = _outward(corners, middle)
        surface = GLASS if kind == "g" else coat.shaded(0.75 + 0.4 * abs(normal[1]))
        if kind == "h":
            surface = replace(surface, temperature=8.0)
        patches = {"r": body.rear, "f": body.front}.get(kind, ())
        end = min(a0, a1) if kind == "r" else max(a0, a1)
        painted = [(np.array([place(end, u, c) for c, u in points]), s) for points, s in patches]
        faces.append(_Face(corners, normal, surface, painted))
    for across in (-half, half):
        corners = np.array([place(a, u, across) for a, u in body.profile])
        painted = [
            (np.array([place(a, u, across) for a, u in points]), s) for points, s in body.sides
        ]
        faces.append(_Face(corners, _outward(corners, middle), coat.shaded(0.9), painted))
    return faces


def _outward(corners: Array, middle: Array) -> Array:
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal /= np.linalg.norm(normal)
    return normal if normal @ (corners.mean(0) - middle) > 0 else -normal


def _stood(surface: Surface) -> Surface:
    """Of a vehicle that has stood for long: no lights, at the road's temperature."""
    return replace(surface, temperature=min(surface.temperature, 0.3), emission=(0.0, 0.0, 0.0))
