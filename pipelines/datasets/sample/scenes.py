"""Who stands where: scenes with the nine classes of MSRS or the six of M3FD."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.sample import objects, vehicles
from pipelines.datasets.sample.canvas import Camera, Canvas
from pipelines.datasets.sample.sensors import Light, infrared_image, visible_image
from pipelines.datasets.sample.street import (
    Street,
    new_camera,
    new_light,
    new_street,
    paint_street,
    sky,
)

Rng = np.random.Generator
Images = tuple[NDArray[np.uint8], NDArray[np.uint8]]

M3FD_CLASSES = ("People", "Car", "Bus", "Motorcycle", "Lamp", "Truck")
CAR, PERSON, BIKE, CAR_STOP, GUARDRAIL, CONE, BUMP = 1, 2, 3, 5, 6, 7, 8  # MSRS


@dataclass(frozen=True)
class Item:
    """Something to paint: its depth, its classes, what it covers of the ground, how."""

    ahead: float
    draw: Callable[[Canvas], None]
    label: int = 0
    detection: int | None = None
    shadow: tuple[float, float, float, float] | None = None  # left, right, near, far


class Stage:
    """Places items so that they hide each other little."""

    def __init__(self, camera: Camera, street: Street, rng: Rng) -> None:
        self.camera, self.street, self.rng = camera, street, rng
        self.items: list[Item] = []
        self._taken: list[NDArray[np.float64]] = []

    def free(self, right: float, ahead: float, width: float, height: float) -> bool:
        """Claim the picture area of an upright rectangle; False where too much of it is taken."""
        corners = [(right - width / 2, height, ahead), (right + width / 2, 0.0, ahead)]
        box = self.camera.project(corners).ravel()
        box = box.clip(0, [self.camera.width, self.camera.height] * 2)
        area = np.prod(box[2:] - box[:2])
        shown = area / (width * height * (self.camera.focal / ahead) ** 2)
        if shown < 0.6:
            return False
        for other in self._taken:
            shared = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
            smaller = min(area, np.prod(other[2:] - other[:2]))
            if (shared > 0).all() and np.prod(shared) > 0.2 * smaller:
                return False
        self._taken.append(box)
        return True

    def place(
        self, spot: Callable[[], tuple[float, float]], width: float, height: float
    ) -> tuple[float, float] | None:
        """A free foot point among a few draws of `spot`, or None."""
        for _ in range(12):
            right, ahead = spot()
            if self.free(right, ahead, width, height):
                return right, ahead
        return None

    def anywhere(self, near: float, far: float, margin: float = 1.8) -> tuple[float, float]:
        """On the road or on the inner part of a pavement, inside the picture."""
        ahead = 1 / self.rng.uniform(1 / far, 1 / near)
        reach = 0.5 * self.camera.width / self.camera.focal * ahead * 0.9
        left = max(self.street.left - margin, -reach)
        right = min(self.street.right + margin, reach)
        return self.rng.uniform(left, right), ahead

    def kerbside(self, near: float, far: float, inward: float) -> tuple[float, float]:
        """Beside a kerb; `inward` metres from it onto the road, negative onto the pavement."""
        ahead = 1 / self.rng.uniform(1 / far, 1 / near)
        if self.rng.uniform() < 0.5:
            return self.street.left + inward, ahead
        return self.street.right - inward, ahead


Painter = Callable[[Canvas, float, float, Rng], None]


def _stand(
    stage: Stage,
    painter: Painter,
    size: tuple[float, float],
    spot: Callable[[], tuple[float, float]],
    label: int = 0,
    detection: int | None = None,
) -> None:
    """Place one upright item where there is room."""
    point = stage.place(spot, *size)
    if point is None:
        return
    right, ahead = point
    seed = stage.rng.integers(2**32)
    stage.items.append(
        Item(
            ahead,
            lambda canvas: painter(canvas, right, ahead, np.random.default_rng(seed)),
            label,
            detection,
            (right - size[0] / 2, right + size[0] / 2, ahead - 0.1, ahead + 0.4),
        )
    )


def _drive(
    stage: Stage,
    painter: Callable[[Canvas, float, float, int, Rng], None],
    size: tuple[float, float, float],
    depths: tuple[float, float],
    label: int = 0,
    detection: int | None = None,
) -> None:
    """Place one vehicle: in its lane, or crossing further away."""
    width, height, length = size
    street, rng = stage.street, stage.rng
    heading = int(rng.choice(4, p=[0.35, 0.25, 0.2, 0.2]))
    crossing = heading >= vehicles.LEFTWARD
    seen = length if crossing else width
    closest = max(depths[0], seen * stage.camera.focal / (0.7 * stage.camera.width))

    def spot() -> tuple[float, float]:
        ahead = rng.uniform(closest, max(depths[1], closest * 1.3))
        if crossing:
            reach = max(0.4 * stage.camera.width / stage.camera.focal * ahead - length / 2, 0.1)
            return rng.uniform(-reach, reach), ahead
        lane = (street.left + street.right) / 2 + (1 if heading == vehicles.AWAY else -1) * (
            (street.right - street.left) / 4
        )
        return lane + rng.uniform(-0.6, 0.6), ahead

    point = stage.place(spot, seen, height)
    if point is None:
        return
    right, ahead = point
    seed = rng.integers(2**32)
    depth = width if crossing else length
    stage.items.append(
        Item(
            ahead,
            lambda canvas: painter(canvas, right, ahead, heading, np.random.default_rng(seed)),
            label,
            detection,
            (right - seen / 2 - 0.1, right + seen / 2 + 0.1, ahead - 0.2, ahead + depth),
        )
    )


def msrs_scene(height: int, width: int, night: bool, rng: Rng) -> tuple[Images, NDArray[np.uint8]]:
    """A scene for segmentation: ((infrared, visible), label map 0..8)."""
    camera, street = new_camera(height, width, rng), new_street(night, rng)
    stage = Stage(camera, street, rng)
    empty = night and rng.uniform() < 0.04
    if not empty:
        _msrs_items(stage)
    _lamps(stage, labelled=False)
    kerbs = not empty and bool(rng.uniform() < 0.8)
    canvas, images = _shoot(stage, kerbs)
    return images, canvas.label_map()


def _msrs_items(stage: Stage) -> None:
    rng = stage.rng

    def often(chance: float) -> bool:
        return bool(rng.uniform() < chance)

    if often(0.5):
        _bump(stage)
    if often(0.5):
        _guardrail(stage)
    for _ in range(rng.integers(1, 3)):
        _drive(stage, vehicles.car, (1.8, 1.5, 4.2), (6.0, 13.0), CAR)
    for _ in range(rng.integers(1, 4)):
        _stand(stage, objects.person, (0.8, 1.75), lambda: stage.anywhere(4.5, 9.0), PERSON)
    for _ in range(rng.choice(3, p=[0.35, 0.45, 0.2])):
        _stand(stage, objects.bike, (1.8, 1.1), lambda: stage.anywhere(4.5, 8.0), BIKE)
    for _ in range(rng.choice(4, p=[0.3, 0.3, 0.25, 0.15])):
        _stand(stage, objects.cone, (0.6, 0.8), lambda: stage.anywhere(3.6, 7.0, 0.5), CONE)
    for _ in range(rng.choice(3, p=[0.4, 0.35, 0.25])):
        _stand(stage, objects.car_stop, (1.9, 0.4), lambda: stage.kerbside(4.0, 7.5, 1.0), CAR_STOP)


def _bump(stage: Stage) -> None:
    street, ahead = stage.street, stage.rng.uniform(4.5, 8.0)
    left, right = street.left + 0.2, street.right - 0.2
    stage.items.append(
        Item(ahead + 1.2, lambda canvas: objects.bump(canvas, left, right, ahead), BUMP)
    )


def _guardrail(stage: Stage) -> None:
    street = stage.street
    for side in (-1, 1):
        if stage.rng.uniform() < 0.35:
            continue
        right = (street.right if side > 0 else street.left) + side * 0.55
        for near in np.arange(2.0, 26.0, 2.0):
            stage.items.append(
                Item(
                    near + 1.0,
                    lambda canvas, x=right, z=near: objects.guardrail(canvas, x, z, z + 2.0),
                    GUARDRAIL,
                )
            )


def m3fd_scene(
    height: int, width: int, night: bool, rng: Rng
) -> tuple[Images, list[tuple[int, tuple[int, ...]]]]:
    """A scene for detection: ((infrared, visible), [(class, box)]), see `Canvas.boxes`."""
    camera, street = new_camera(height, width, rng), new_street(night, rng)
    stage = Stage(camera, street, rng)
    _lamps(stage, labelled=True)
    if rng.uniform() >= 0.02:
        for kind in rng.permutation([0, 0, 1, 2, 3, 5])[: rng.integers(3, 6)]:
            _m3fd_item(stage, int(kind))
    canvas, images = _shoot(stage, kerbs=bool(rng.uniform() < 0.8))
    return images, canvas.boxes(visible_share=0.3, smallest=0.05 * width)


def _m3fd_item(stage: Stage, kind: int) -> None:
    if kind == 0:
        spot = lambda: stage.anywhere(4.0, 8.0)  # noqa: E731
        _stand(stage, objects.person, (0.8, 1.75), spot, PERSON, kind)
    elif kind == 3:
        spot = lambda: stage.anywhere(4.2, 7.5)  # noqa: E731
        _stand(stage, objects.motorcycle, (2.0, 1.25), spot, 0, kind)
    elif kind == 1:
        _drive(stage, vehicles.car, (1.8, 1.5, 4.2), (5.5, 12.0), CAR, kind)
    elif kind == 2:
        _drive(stage, vehicles.bus, (2.5, 3.1, 8.6), (8.0, 15.0), 0, kind)
    else:
        _drive(stage, vehicles.truck, (2.4, 3.3, 5.9), (8.0, 14.0), 0, kind)


def _lamps(stage: Stage, labelled: bool) -> None:
    street = stage.street
    for number, (right, ahead) in enumerate(street.lamps):
        post = Item(ahead + 0.01, lambda canvas, x=right, z=ahead: objects.lamp_post(canvas, x, z))
        head = Item(
            ahead,
            lambda canvas, x=right, z=ahead: objects.lantern(canvas, x, z, street.night),
            detection=4 if labelled else None,
        )
        stage.items += [post, head]


def _shoot(stage: Stage, kerbs: bool) -> tuple[Canvas, Images]:
    """Paint the stage far to near and photograph it with both cameras."""
    rng, street, camera = stage.rng, stage.street, stage.camera
    canvas = Canvas(camera, sky(street.night))
    paint_street(canvas, street, kerbs, rng)
    street_surfaces, shadow = len(canvas.surfaces), _shadow(stage, canvas)
    for item in sorted(stage.items, key=lambda item: -item.ahead):
        canvas.begin(item.label, item.detection)
        item.draw(canvas)
        canvas.end()
    shadow[canvas.map >= street_surfaces] = 1  # shadows lie on the ground, not on who casts them
    light = new_light(street, camera, rng)
    visible = visible_image(canvas, shadow, light, rng)
    return canvas, (infrared_image(canvas, light, rng), visible)


def _shadow(stage: Stage, canvas: Canvas) -> NDArray[np.float32]:
    camera = stage.camera
    mask = np.zeros(canvas.map.shape, np.uint8)
    lean = stage.rng.uniform(-0.8, 0.8)
    for item in stage.items:
        if item.shadow is None:
            continue
        left, right, near, far = item.shadow
        points = [(left, 0, near), (right, 0, near), (right + lean, 0, far), (left + lean, 0, far)]
        cv2.fillPoly(mask, [camera.project(points).clip(-4000, 4000).astype(np.int32)], 1)
    depth = stage.rng.uniform(0.3, 0.6)
    return 1 - depth * cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.5)
