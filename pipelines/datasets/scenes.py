"""Sample scenes: one world, seen by a camera and by a thermal camera.

visible = illumination × reflectance + lamps, plus noise, most of it in the dark.
infrared = temperature, slightly blurred, plus the sensor's own noise and stripes.

At night people are almost invisible in visible; by day cones, bumps and lane marks are invisible
in infrared, because paint has the temperature of what it is painted on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.datasets.figures import FIGURES, Color, Polygon

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Placed:
    """A thing in the scene: its class and, once rendered, the pixels that are still seen of it."""

    name: str
    visible: NDArray[np.bool_]
    share: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """xmin, ymin, xmax, ymax of the visible pixels, maxima exclusive."""
        rows, columns = np.flatnonzero(self.visible.any(1)), np.flatnonzero(self.visible.any(0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@dataclass(frozen=True)
class Scene:
    """One rendered pair: infrared H×W and visible H×W×3 uint8, and what is in it."""

    infrared: NDArray[np.uint8]
    visible: NDArray[np.uint8]
    things: list[Placed]


@dataclass
class World:
    """The maps that both cameras look at; owners number the things painted, 0 is background."""

    random: Generator
    night: bool
    height: int
    width: int
    reflectance: Plane = field(init=False)
    temperature: Plane = field(init=False)
    light: Plane = field(init=False)
    owner: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        shape = self.height, self.width
        self.reflectance = np.zeros((*shape, 3), np.float32)
        self.temperature = np.zeros(shape, np.float32)
        self.light = np.zeros((*shape, 3), np.float32)
        self.owner = np.zeros(shape, np.int32)
        self.horizon = int(self.height * self.random.uniform(0.30, 0.38))
        self.ground = 0.22 if self.night else 0.36
        self._background()

    def texture(self, grain: float, strength: float) -> Plane:
        """1 + band-limited noise with `grain` cells across the image."""
        rows, columns = max(2, int(grain * self.height / self.width)), max(2, int(grain))
        coarse = self.random.standard_normal((rows, columns)).astype(np.float32)
        noise = cv2.resize(coarse, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        return (1 + strength * noise).astype(np.float32)

    def fill(
        self,
        outline: Polygon,
        color: Color,
        temperature: float,
        owner: int = 0,
        light: Color = (0.0, 0.0, 0.0),
    ) -> NDArray[np.bool_]:
        """Paint a polygon given in pixels; a temperature below 0 leaves the one beneath."""
        mask = np.zeros((self.height, self.width), np.uint8)
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
        inside = mask.astype(bool)
        self.reflectance[inside] = color
        self.light[inside] = light
        self.owner[inside] = owner
        if temperature >= 0:
            self.temperature[inside] = temperature
        return inside

    def _background(self) -> None:
        random, horizon = self.random, self.horizon
        sky = random.uniform(0.55, 0.75)
        self.reflectance[:horizon] = (0.8 * sky, 0.92 * sky, 1.1 * sky)
        self.temperature[:horizon] = 0.06
        self.reflectance[horizon:] = (0.27, 0.28, 0.30)
        self.temperature[horizon:] = self.ground
        self._skyline()
        verge = random.uniform(0.0, 0.25) * self.width
        green: Color = (0.22, float(random.uniform(0.3, 0.42)), 0.16)
        for side in (0.0, float(self.width)):
            inner = verge if side == 0 else self.width - verge
            middle = 0.45 * self.width if side == 0 else 0.55 * self.width
            outline = [
                [side, horizon],
                [middle, horizon],
                [inner, self.height],
                [side, self.height],
            ]
            self.fill(np.array(outline, np.float32), green, self.ground - 0.05)
        fine, broad = self.texture(self.width / 2, 0.10), self.texture(self.width / 8, 0.08)
        fine[:horizon] = 1
        self.reflectance *= (fine * broad)[..., None]
        self.temperature *= self.texture(self.width / 10, 0.04)

    def _skyline(self) -> None:
        """Houses and trees along the horizon."""
        random, left = self.random, 0.0
        while left < self.width:
            right = left + random.uniform(0.08, 0.22) * self.width
            top = self.horizon * random.uniform(0.1, 0.8)
            wall = random.uniform(0.2, 0.6)
            color: Color = (wall, wall * random.uniform(0.7, 1.0), wall * random.uniform(0.5, 0.9))
            warm = self.ground + random.uniform(-0.08, 0.06)
            if random.random() < 0.4:
                color = (0.12, float(random.uniform(0.2, 0.32)), 0.1)
            corners = [
                [left, top],
                [right, top],
                [right, self.horizon + 2],
                [left, self.horizon + 2],
            ]
            self.fill(np.array(corners, np.float32), color, warm)
            left = right

    def place(self, name: str, x: float, base: float, size: float, owner: int) -> NDArray[np.bool_]:
        """Paint a figure standing at pixel (x, base), a person being `size` pixels high there."""
        figure = FIGURES[name](self.random)
        unit = size * figure.height
        painted = np.zeros((self.height, self.width), bool)
        lit = 1.0 if self.night else 0.25
        for part in figure.parts:
            outline = part.outline * np.array([unit, -unit], np.float32) + (x, base)
            red, green, blue = part.light
            light = lit * red, lit * green, lit * blue
            painted |= self.fill(
                outline.astype(np.float32), part.color, part.temperature, owner, light
            )
        return painted

    def curve(self, owner: int) -> NDArray[np.bool_]:
        """Two painted lines on the road that bend towards the horizon."""
        random = self.random
        depth = np.linspace(0.03, 1, 24)
        middle, bend = random.uniform(0.42, 0.58), random.uniform(-0.25, 0.25)
        painted = np.zeros((self.height, self.width), bool)
        for offset in (-random.uniform(0.25, 0.4), random.uniform(0.25, 0.4)):
            x = (middle + offset * depth + bend * (1 - depth) ** 2 * 0.6) * self.width
            y = self.horizon + depth * (self.height - self.horizon)
            half = (0.004 + 0.018 * depth) * self.width
            outline = np.concatenate([np.stack([x - half, y], 1), np.stack([x + half, y], 1)[::-1]])
            painted |= self.fill(outline.astype(np.float32), (0.9, 0.9, 0.86), -1.0, owner)
        return painted

    def _street_light(self) -> Plane:
        """Pools of light on the ground at night: H×W×1."""
        rows, columns = np.mgrid[: self.height, : self.width]
        pools = np.zeros((self.height, self.width))
        for _ in range(int(self.random.integers(1, 3))):
            x, y = self.random.uniform(0, self.width), self.random.uniform(0.6, 1) * self.height
            wide = self.random.uniform(0.12, 0.2) * self.width
            distance = ((columns - x) / wide) ** 2 + ((rows - y) / (0.4 * wide)) ** 2
            pools += self.random.uniform(0.12, 0.3) * np.exp(-distance)
        return pools[..., None].astype(np.float32)

    def cameras(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """What the thermal camera and the camera see: H×W and H×W×3, uint8."""
        random, shape = self.random, (self.height, self.width)
        thermal = cv2.GaussianBlur(self.temperature, (0, 0), 0.8)
        stripes = random.normal(0, 0.008, (1, self.width))
        thermal = thermal + stripes + random.normal(0, 0.014, shape)
        if self.night:
            glow = cv2.GaussianBlur(self.light, (0, 0), self.width / 20)
            illumination = random.uniform(0.05, 0.09) + 1.5 * glow + self._street_light()
        else:
            illumination = np.full((*shape, 1), random.uniform(0.75, 1.0))
        seen = self.reflectance * illumination + self.light
        noise = 0.022 if self.night else 0.008
        seen = cv2.GaussianBlur(seen, (0, 0), 0.5) + random.normal(0, noise, (*shape, 3))
        return _to_bytes(thermal), _to_bytes(seen)


def _to_bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def render(random: Generator, height: int, width: int, night: bool, names: Sequence[str]) -> Scene:
    """A scene with the given things in it, the far ones first and partly hidden by the near ones.

    Args:
        random: decides everything.
        height, width: of the images.
        night: time of day.
        names: classes (keys of `FIGURES`, or "curve").
    """
    world = World(random, night, height, width)
    painted: list[tuple[str, NDArray[np.bool_]]] = []
    on_road = [name for name in names if name in {"curve", "bump"}]
    standing = [name for name in names if name not in {"curve", "bump"}]
    depths = np.sort(random.uniform(0.12, 1.0, len(standing)))
    lanes = random.permutation(len(standing))
    for name in on_road:
        owner = len(painted) + 1
        if name == "curve":
            painted.append((name, world.curve(owner)))
        else:
            depth = random.uniform(0.35, 0.9)
            painted.append((name, _stand(world, name, random.uniform(0.4, 0.6), depth, owner)))
    for name, depth, lane in zip(standing, depths, lanes, strict=True):
        place = (lane + random.uniform(0.25, 0.75)) / max(1, len(standing))
        painted.append((name, _stand(world, name, place, float(depth), len(painted) + 1)))
    infrared, visible = world.cameras()
    things = []
    for owner, (name, mask) in enumerate(painted, start=1):
        seen = mask & (world.owner == owner)
        things.append(Placed(name, seen, float(seen.sum() / max(1, mask.sum()))))
    return Scene(infrared, visible, things)


def _stand(world: World, name: str, place: float, depth: float, owner: int) -> NDArray[np.bool_]:
    """Put a thing at a share of the width and a depth (0 far, 1 near); lamps hang above."""
    base = world.horizon + (0.12 + 0.86 * depth) * (world.height - world.horizon)
    size = (0.16 + 0.22 * depth) * world.height
    if name == "Lamp":
        pole: Color = (0.2, 0.2, 0.2)
        x, thin = place * world.width, 0.008 * world.width
        top = base - 1.9 * size if base - 1.9 * size > 0.3 * size else 0.3 * size
        corners = [[x - thin, top], [x + thin, top], [x + thin, base], [x - thin, base]]
        world.fill(np.array(corners, np.float32), pole, world.ground)
        return world.place(name, x, top + 0.1 * size, size, owner)
    return world.place(name, place * world.width, base, size, owner)
