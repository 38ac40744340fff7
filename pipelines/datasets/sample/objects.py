"""People, two-wheelers and street furniture; each stands at a foot point (right, ahead), meters.

Temperatures are degrees above the road's: skin 14, clothes 6-10. Cones, curbs, bumps and car
stops have the road's own: a thermal camera cannot tell them from the road.
"""

import colorsys
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from pipelines.datasets.sample.canvas import Canvas, Surface, disc, limb, rectangle

Rng = np.random.Generator

STEEL = Surface((0.45, 0.46, 0.48), temperature=-2.0, texture=0.03)
RUBBER = Surface((0.04, 0.04, 0.04), temperature=1.0)
SPOKES = Surface((0.22, 0.22, 0.23), temperature=0.5)
BLACK = Surface((0.05, 0.05, 0.05))
YELLOW = Surface((0.75, 0.52, 0.05), retro=0.2)
WHITE = Surface((0.8, 0.8, 0.78), retro=0.35)
ORANGE = Surface((0.85, 0.22, 0.04), retro=0.3)
POLE = Surface((0.13, 0.15, 0.15), temperature=0.2)


def person(canvas: Canvas, right: float, ahead: float, rng: Rng) -> None:
    """A pedestrian in mid-stride, 1.6-1.9 m."""
    size, turn = rng.uniform(0.94, 1.1), rng.choice([-1, 1])
    stride, swing = rng.uniform(0.08, 0.34), rng.uniform(0.05, 0.25)
    coat = _clothes(rng, rng.uniform(7.5, 10.5))
    trousers = _clothes(rng, rng.uniform(6.5, 9.0))
    skin = Surface((0.48, 0.33, 0.26), temperature=14.0)
    hair = Surface((0.08, 0.06, 0.05), temperature=11.0)

    def part(points: ArrayLike, surface: Surface) -> None:
        canvas.flat(ahead, right, np.asarray(points) * (size * turn, size), surface)

    part(limb((-0.02, 0.9), (-stride, 0.0), 0.22), trousers.shaded(0.85))
    part(limb((0.02, 0.9), (stride, 0.0), 0.22), trousers)
    part(limb((-0.04, 1.42), (-0.16 - swing, 0.85), 0.15), coat.shaded(0.85))
    part([(-0.2, 0.8), (0.2, 0.8), (0.27, 1.45), (0.1, 1.54), (-0.1, 1.54), (-0.27, 1.45)], coat)
    part(limb((0.04, 1.42), (0.14 + swing, 0.85), 0.15), coat.shaded(1.1))
    part(disc(0.14 + swing, 0.83, 0.07), skin)
    part(disc(0, 1.67, 0.14, 0.9), hair)
    part(disc(0.02, 1.63, 0.125, 0.85), skin)


def _clothes(rng: Rng, temperature: float) -> Surface:
    color = colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.1, 0.7), rng.uniform(0.07, 0.4))
    return Surface(color, temperature=temperature, texture=0.08)


def bike(canvas: Canvas, right: float, ahead: float, rng: Rng) -> None:
    """A bicycle seen from the side, 1.8 × 1.1 m."""
    part = _sideways(canvas, right, ahead, rng)
    frame = _strong(rng, temperature=0.5)
    for middle in (-0.55, 0.55):
        part(disc(middle, 0.36, 0.36), RUBBER)
        part(disc(middle, 0.36, 0.27), SPOKES)
    joints = [(-0.55, 0.36), (-0.2, 0.82), (0.38, 0.85), (-0.05, 0.36)]
    for start, stop in [(0, 1), (1, 2), (2, 3), (3, 0), (1, 3)]:
        part(limb(joints[start], joints[stop], 0.09), frame)
    part(limb((0.55, 0.36), (0.36, 1.02), 0.09), frame)
    part(limb((0.2, 1.04), (0.48, 1.0), 0.08), BLACK)
    part(limb((-0.38, 0.92), (-0.08, 0.92), 0.1), BLACK)


def motorcycle(canvas: Canvas, right: float, ahead: float, rng: Rng, cold: bool) -> None:
    """A motorcycle seen from the side, 2.1 × 1.2 m; hot engine unless it has stood for long."""
    hot = 0.05 if cold else 1.0
    part = _sideways(canvas, right, ahead, rng)
    coat = _strong(rng, temperature=2.0)
    for middle in (-0.72, 0.72):
        part(disc(middle, 0.34, 0.34), Surface(RUBBER.color, temperature=6.0 * hot))
        part(disc(middle, 0.34, 0.17), Surface((0.4, 0.4, 0.42), temperature=4.0 * hot))
    part([(-0.35, 0.3), (0.35, 0.3), (0.4, 0.7), (-0.4, 0.65)], Surface(BLACK.color, 17.0 * hot))
    part(limb((-1.0, 0.36), (0.0, 0.3), 0.13), Surface((0.5, 0.5, 0.5), temperature=22.0 * hot))
    part([(-0.15, 0.65), (0.45, 0.62), (0.5, 0.95), (0.1, 1.02)], coat)
    part(
        [(-0.95, 0.78), (-0.1, 0.66), (-0.05, 0.88), (-0.95, 0.98)], Surface(BLACK.color, 4.0 * hot)
    )
    part(limb((0.72, 0.34), (0.48, 1.12), 0.11), STEEL)
    part([(0.45, 0.85), (0.78, 0.8), (0.62, 1.25), (0.42, 1.15)], coat.shaded(1.2))
    lamp = Surface(
        (0.85, 0.85, 0.8), temperature=5.0 * hot, emission=(1.2 * hot, 1.1 * hot, 0.9 * hot)
    )
    part(disc(0.74, 0.92, 0.1), lamp)


def _sideways(
    canvas: Canvas, right: float, ahead: float, rng: Rng
) -> Callable[[ArrayLike, Surface], None]:
    turn = rng.choice([-1, 1]) * rng.uniform(0.75, 1.0)

    def part(points: ArrayLike, surface: Surface) -> None:
        canvas.flat(ahead, right, np.asarray(points) * (turn, 1), surface)

    return part


def _strong(rng: Rng, temperature: float) -> Surface:
    color = colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.6, 1), rng.uniform(0.35, 0.75))
    return Surface(color, temperature=temperature, texture=0.02)


def cone(canvas: Canvas, right: float, ahead: float, rng: Rng) -> None:
    """A traffic cone, 0.8 m."""
    size = rng.uniform(0.95, 1.15)
    parts: list[tuple[Sequence[tuple[float, float]], Surface]] = [
        (rectangle(-0.3, 0.3, 0.0, 0.09), BLACK),
        ([(-0.22, 0.09), (0.22, 0.09), (0.05, 0.8), (-0.05, 0.8)], ORANGE),
        ([(-0.16, 0.3), (0.16, 0.3), (0.11, 0.5), (-0.11, 0.5)], WHITE),
    ]
    for points, surface in parts:
        canvas.flat(ahead, right, np.asarray(points) * size, surface)


def car_stop(canvas: Canvas, right: float, ahead: float, rng: Rng) -> None:
    """A wheel stop of a parking bay: a low bar 1.9 m wide, concrete with yellow stripes."""
    half, height, depth = rng.uniform(0.85, 1.0), 0.32, 0.45
    body = Surface((0.4, 0.39, 0.37), texture=0.08)
    tread = body.shaded(1.4)
    for left, end, stripe in ((-half, half, False), (-0.8, -0.45, True), (0.45, 0.8, True)):
        front = YELLOW if stripe else body
        top = YELLOW.shaded(1.2) if stripe else tread
        near, far = ahead, ahead + depth
        corners = [(left, 0.0, near), (end, 0.0, near), (end, height, near), (left, height, near)]
        canvas.polygon(np.add(corners, (right, 0, 0)), front)
        corners = [
            (left, height, near),
            (end, height, near),
            (end, height, far),
            (left, height, far),
        ]
        canvas.polygon(np.add(corners, (right, 0, 0)), top)


def bump(canvas: Canvas, left: float, right: float, ahead: float) -> None:
    """A speed bump across the road, black and yellow."""
    pieces = 6
    edges = np.linspace(left, right, pieces + 1)
    profile = [(0.0, 0.0), (0.4, 0.2), (1.2, 0.2), (1.6, 0.0)]
    for piece in range(pieces):
        color = YELLOW if piece % 2 else BLACK
        for (z0, y0), (z1, y1) in reversed(list(pairwise(profile))):
            face = [
                (edges[piece], y0, ahead + z0),
                (edges[piece + 1], y0, ahead + z0),
                (edges[piece + 1], y1, ahead + z1),
                (edges[piece], y1, ahead + z1),
            ]
            canvas.polygon(face, color.shaded(1.2 if y0 == y1 else 0.9))


def guardrail(canvas: Canvas, right: float, near: float, far: float) -> None:
    """A steel rail along the road on posts: metal mirrors the cold sky."""
    for post in np.arange(far, near, -2.0):
        canvas.flat(post, right, rectangle(-0.08, 0.08, 0.0, 0.6), STEEL.shaded(0.55))
    for low, high, shade in (
        (0.35, 0.52, 0.75),
        (0.52, 0.62, 1.5),
        (0.62, 0.8, 0.8),
        (0.8, 0.95, 1.5),
    ):
        strip = [(right, low, near), (right, high, near), (right, high, far), (right, low, far)]
        canvas.polygon(strip, STEEL.shaded(shade))


def curb(canvas: Canvas, right: float, near: float, far: float) -> None:
    """A curb of pale stones between road and pavement."""
    outward = 0.5 if right > 0 else -0.5
    stone = Surface((0.62, 0.61, 0.57), texture=0.06, retro=0.04)
    face = [(right, 0, near), (right, 0.25, near), (right, 0.25, far), (right, 0, far)]
    canvas.polygon(face, stone.shaded(0.7))
    ends = [(right, near), (right + outward, near), (right + outward, far), (right, far)]
    canvas.polygon([(x, 0.25, z) for x, z in ends], stone)
    for joint in np.arange(max(near, 2.0), min(far, 14.0), 1.2):
        ends = [(right, joint), (right + outward, joint), (right + outward, joint + 0.06)]
        canvas.polygon([(x, 0.25, z) for x, z in ends], stone.shaded(0.6))


def lamp_post(canvas: Canvas, right: float, ahead: float) -> None:
    """The pole of a street lamp."""
    canvas.flat(ahead, right, rectangle(-0.07, 0.07, 0.0, 3.0), POLE)
    canvas.flat(ahead, right, rectangle(-0.16, 0.16, 0.0, 0.5), POLE)


LANTERN_HEIGHT = 3.3


def lantern(canvas: Canvas, right: float, ahead: float, lit: bool) -> None:
    """The head of a street lamp: a globe under a cap; warm when it is lit."""
    globe = Surface(
        (0.85, 0.84, 0.78),
        16.0 if lit else 1.5,
        0.01,
        emission=(2.0, 1.7, 1.1) if lit else (0,) * 3,
    )
    canvas.flat(
        ahead, right, rectangle(-0.2, 0.2, LANTERN_HEIGHT - 0.56, LANTERN_HEIGHT - 0.34), POLE
    )
    canvas.flat(ahead, right, disc(0, LANTERN_HEIGHT, 0.5), POLE)
    canvas.flat(ahead, right, disc(0, LANTERN_HEIGHT, 0.38), globe)
    cap = [(-0.52, 0.25), (0.52, 0.25), (0.14, 0.6), (-0.14, 0.6)]
    canvas.flat(ahead, right, np.add(cap, (0, LANTERN_HEIGHT)), POLE)
