"""The empty street: sky, buildings, trees, road and pavement, and the light it lies in."""

import colorsys
from dataclasses import dataclass

import numpy as np

from pipelines.datasets.sample import objects
from pipelines.datasets.sample.canvas import OVERSAMPLING, Camera, Canvas, Surface, disc
from pipelines.datasets.sample.sensors import Light

Rng = np.random.Generator
FAR = 70.0  # meters to the end of the street

WINDOW = Surface((0.3, 0.33, 0.37), temperature=-1.0, texture=0.02)
LIT_WINDOW = Surface((0.3, 0.25, 0.15), temperature=1.5, emission=(0.5, 0.36, 0.16))
MARK = Surface((0.78, 0.78, 0.75), ground=0.04, retro=0.12)


@dataclass(frozen=True)
class Street:
    """Geometry and hour of one scene.

    Attributes:
        left: edge of the road, meters right of the camera (negative).
        right: the other edge.
        pavement: width of each pavement, meters.
        night: whether the sun is down.
        lamps: (right, ahead) of the street lamps, meters.
    """

    left: float
    right: float
    pavement: float
    night: bool
    lamps: tuple[tuple[float, float], ...]


def new_camera(height: int, width: int, rng: Rng) -> Camera:
    """A camera for images of height × width."""
    tall, wide = height * OVERSAMPLING, width * OVERSAMPLING
    return Camera(wide, tall, focal=0.9 * wide, horizon=tall * rng.uniform(0.33, 0.4))


def new_street(night: bool, rng: Rng) -> Street:
    """A street of random width with lamps along one side."""
    lane = rng.uniform(2.9, 3.5)
    shift = rng.uniform(-1.0, 1.0)
    left, right = -lane + shift, lane + shift
    side = rng.choice([-1, 1])
    edge = (right if side > 0 else left) + side * rng.uniform(0.7, 1.2)
    first = max(6.5, 2.1 * abs(edge)) + rng.uniform(0, 2)  # in the picture
    lamps = ((edge, first), (edge, first + 4.5))[: rng.choice(3, p=[0.2, 0.3, 0.5])]
    return Street(left, right, rng.uniform(2.4, 4.0), night, lamps)


def new_light(street: Street, camera: Camera, rng: Rng) -> Light:
    """Sun, overcast or dusk by day; lamps and the own head lights at night."""
    if not street.night:
        level, warm = rng.uniform(0.55, 1.1), rng.uniform(-0.06, 0.08)
        return Light(
            night=False,
            ambient=(level * (1 + warm), level, level * (1 - warm)),
            headlights=0.0,
            lamps=(),
            exposure=rng.uniform(0.85, 1.0),
            contrast=rng.uniform(0.55, 0.85),
        )
    pools = []
    for right, ahead in street.lamps:
        column, row = camera.project([(right * 0.75, 0.0, ahead)])[0]
        pools.append((column, row, camera.focal * 3.5 / ahead))
    dark = rng.uniform(0.012, 0.025)
    return Light(
        night=True,
        ambient=(dark * 0.9, dark, dark * 1.25),
        headlights=rng.uniform(0.8, 1.2),
        lamps=tuple(pools),
        exposure=rng.uniform(0.9, 1.2),
        contrast=1.0,
    )


def sky(night: bool) -> Surface:
    """The sky behind everything: its light by day, its cold always."""
    color = (0.0, 0.0, 0.0) if night else (0.62, 0.72, 0.85)
    return Surface(color, temperature=-6.0, texture=0.02)


def paint_street(canvas: Canvas, street: Street, curbs: bool, rng: Rng) -> None:
    """Paint everything that stands behind the objects."""
    _horizon(canvas, street, rng)
    facade = max(street.right, -street.left) + street.pavement + 0.5
    _ground(canvas, street, facade, rng)
    for side in (-1, 1):
        _buildings(canvas, street, side * facade, rng)
    if curbs:
        canvas.begin(label=4)
        objects.curb(canvas, street.left, 1.5, 35.0)
        objects.curb(canvas, street.right, 1.5, 35.0)
        canvas.end()


def _horizon(canvas: Canvas, street: Street, rng: Rng) -> None:
    cloud = Surface((0.8, 0.84, 0.9) if not street.night else (0, 0, 0), -4.5, texture=0.03)
    canvas.polygon([(-400, 0, 400), (400, 0, 400), (400, 60, 400), (-400, 60, 400)], cloud)
    for left in np.arange(-30.0, 30.0, 6.0):
        wall = _wall(street.night, rng)
        top = rng.uniform(4, 16)
        canvas.polygon(
            [(left, 0, FAR), (left + 6.5, 0, FAR), (left + 6.5, top, FAR), (left, top, FAR)], wall
        )


def _wall(night: bool, rng: Rng) -> Surface:
    hue, value = rng.uniform(0.02, 0.14), rng.uniform(0.3, 0.6)
    color = colorsys.hsv_to_rgb(hue, rng.uniform(0.05, 0.3), value)
    return Surface(_hazy(color), temperature=rng.uniform(-2.5, 0.5 if night else 3.0), texture=0.07)


def _hazy(color: tuple[float, float, float]) -> tuple[float, float, float]:
    """Seen through air: what stands behind the street is paler than what is on it."""
    red, green, blue = color
    return (0.6 * red + 0.22, 0.6 * green + 0.23, 0.6 * blue + 0.25)


def _ground(canvas: Canvas, street: Street, facade: float, rng: Rng) -> None:
    gray = rng.uniform(0.16, 0.24)
    asphalt = Surface((gray, gray, gray * 1.02), ground=0.12)
    slabs = Surface((gray * 1.5, gray * 1.42, gray * 1.3), ground=0.10)
    near = 0.8
    lawn = Surface((0.13, 0.17, 0.08), temperature=-1.0, ground=0.3)
    canvas.polygon([(x, 0, z) for x, z in _strip(-150.0, 150.0, near, 400.0)], lawn)
    canvas.polygon(
        [(-facade, 0, near), (facade, 0, near), (facade, 0, FAR), (-facade, 0, FAR)], slabs
    )
    joint = slabs.shaded(0.75)
    for ahead in np.arange(3.0, 16.0, 1.0):
        canvas.polygon([(x, 0, z) for x, z in _strip(-facade, facade, ahead, ahead + 0.05)], joint)
    road = _strip(street.left, street.right, near, FAR)
    canvas.polygon([(x, 0, z) for x, z in road], asphalt)
    middle = (street.left + street.right) / 2
    for ahead in np.arange(rng.uniform(1.0, 4.0), 45.0, 4.5):
        dash = _strip(middle - 0.09, middle + 0.09, ahead, ahead + 2.2)
        canvas.polygon([(x, 0, z) for x, z in dash], MARK)
    for edge in (street.left + 0.25, street.right - 0.37):
        line = _strip(edge, edge + 0.12, near, FAR)
        canvas.polygon([(x, 0, z) for x, z in line], MARK)


def _strip(left: float, right: float, near: float, far: float) -> list[tuple[float, float]]:
    return [(left, near), (right, near), (right, far), (left, far)]


def _buildings(canvas: Canvas, street: Street, facade: float, rng: Rng) -> None:
    """House fronts in a row along the street, with trees where there is a gap."""
    far = FAR
    while far > 3.0:
        depth = rng.uniform(8, 16)
        near = max(far - depth, 1.0)
        if rng.uniform() < 0.3:
            _tree(canvas, facade * 1.15, (near + far) / 2, rng)
        else:
            _house(canvas, facade, near, far, street.night, rng)
        far = near


def _house(canvas: Canvas, facade: float, near: float, far: float, night: bool, rng: Rng) -> None:
    wall, height = _wall(night, rng), rng.uniform(5, 13)
    gable = [
        (facade, 0, far),
        (facade * 4, 0, far),
        (facade * 4, height, far),
        (facade, height, far),
    ]
    canvas.polygon(gable, wall.shaded(0.6))
    front = [(facade, 0, near), (facade, height, near), (facade, height, far), (facade, 0, far)]
    canvas.polygon(front, wall)
    gable = [(x, y, near) for x, y, _ in gable]
    canvas.polygon(gable, wall.shaded(0.75))
    for low in np.arange(1.2, height - 2.0, 3.0):
        for start in np.arange(near + 1.0, far - 1.8, 3.2):
            window = LIT_WINDOW if night and rng.uniform() < 0.18 else WINDOW
            ends = [(low, start), (low + 1.5, start), (low + 1.5, start + 1.5), (low, start + 1.5)]
            canvas.polygon([(facade, y, z) for y, z in ends], window)


def _tree(canvas: Canvas, right: float, ahead: float, rng: Rng) -> None:
    trunk = Surface((0.16, 0.11, 0.08), temperature=-0.5, texture=0.2)
    canvas.flat(ahead, right, [(-0.2, 0), (0.2, 0), (0.15, 2.5), (-0.15, 2.5)], trunk)
    for _ in range(14):
        green = rng.uniform(0.5, 1.1)
        color = _hazy((0.12 * green, 0.26 * green, 0.07 * green))
        leaves = Surface(color, temperature=-1.8, texture=0.25)
        x, y = rng.normal(0, 1.2), 3.8 + rng.normal(0, 0.9)
        canvas.flat(ahead, right, disc(x, y, rng.uniform(0.5, 1.1)), leaves)
