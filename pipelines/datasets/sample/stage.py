"""Places things so that they hide each other little, then paints and photographs them."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.sample import vehicles
from pipelines.datasets.sample.canvas import Camera, Canvas
from pipelines.datasets.sample.sensors import infrared_image, visible_image
from pipelines.datasets.sample.street import Street, new_light, paint_street, sky

Rng = np.random.Generator
Images = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Spot = Callable[[], tuple[float, float]]
Figure = Callable[[Canvas, float, float, Rng], None]
Vehicle = Callable[[Canvas, float, float, int, bool, Rng], None]


@dataclass(frozen=True)
class Item:
    """Something to paint.

    Attributes:
        ahead: its depth, meters.
        draw: paints it.
        label: class of its pixels for segmentation.
        detection: class of the object for detection, if it is one.
        shadow: left, right, near, far of what it shades on the ground, meters.
    """

    ahead: float
    draw: Callable[[Canvas], None]
    label: int = 0
    detection: int | None = None
    shadow: tuple[float, float, float, float] | None = None


class Stage:
    """A street to put things on."""

    def __init__(self, camera: Camera, street: Street, rng: Rng) -> None:
        self.camera, self.street, self.rng = camera, street, rng
        self.items: list[Item] = []
        self._taken: list[NDArray[np.float64]] = []

    def anywhere(self, near: float, far: float, margin: float = 1.8) -> tuple[float, float]:
        """On the road or on `margin` meters of pavement, inside the picture: (right, ahead)."""
        ahead = 1 / self.rng.uniform(1 / far, 1 / near)
        reach = 0.45 * self.camera.width / self.camera.focal * ahead
        left = max(self.street.left - margin, -reach)
        right = min(self.street.right + margin, reach)
        return self.rng.uniform(left, right), ahead

    def curbside(self, near: float, far: float, inward: float) -> tuple[float, float]:
        """On the road, `inward` meters from one of its curbs: (right, ahead)."""
        ahead = 1 / self.rng.uniform(1 / far, 1 / near)
        if self.rng.uniform() < 0.5:
            return self.street.left + inward, ahead
        return self.street.right - inward, ahead

    def stood(self) -> bool:
        """Whether an engine is cold: half of them by day, none of the few out at night."""
        return not self.street.night and bool(self.rng.uniform() < 0.5)

    def stand(
        self,
        figure: Figure,
        size: tuple[float, float],
        spot: Spot,
        label: int = 0,
        detection: int | None = None,
    ) -> None:
        """Put an upright thing of (width, height) meters where there is room, if there is."""
        point = self._place(spot, *size)
        if point is None:
            return
        right, ahead = point
        half = size[0] / 2
        own = self._fresh()

        def draw(canvas: Canvas) -> None:
            figure(canvas, right, ahead, own)

        shadow = (right - half, right + half, ahead - 0.1, ahead + 0.4)
        self.items.append(Item(ahead, draw, label, detection, shadow))

    def drive(
        self,
        vehicle: Vehicle,
        size: tuple[float, float, float],
        depths: tuple[float, float],
        label: int = 0,
        detection: int | None = None,
    ) -> None:
        """Put a vehicle of (width, height, length) meters in its lane, or crossing the road."""
        width, height, length = size
        heading = int(self.rng.choice(4, p=[0.2, 0.2, 0.3, 0.3]))
        crossing = heading in (vehicles.LEFTWARD, vehicles.RIGHTWARD)
        seen, depth = (length, width) if crossing else (width, length)
        closest = max(depths[0], seen * self.camera.focal / (0.7 * self.camera.width))

        def spot() -> tuple[float, float]:
            ahead = self.rng.uniform(closest, max(depths[1], closest * 1.3))
            if crossing:
                reach = 0.4 * self.camera.width / self.camera.focal * ahead - length / 2
                return self.rng.uniform(-1, 1) * max(reach, 0.1), ahead
            quarter = (self.street.right - self.street.left) / 4
            middle = (self.street.left + self.street.right) / 2
            lane = middle + (quarter if heading == vehicles.AWAY else -quarter)
            return lane + self.rng.uniform(-0.6, 0.6), ahead

        point = self._place(spot, seen, height)
        if point is None:
            return
        right, ahead = point
        own, cold = self._fresh(), self.stood()

        def draw(canvas: Canvas) -> None:
            vehicle(canvas, right, ahead, heading, cold, own)

        shadow = (right - seen / 2 - 0.1, right + seen / 2 + 0.1, ahead - 0.2, ahead + depth)
        self.items.append(Item(ahead, draw, label, detection, shadow))

    def shoot(self, curbs: bool) -> tuple[Canvas, Images]:
        """Paint everything far to near and take (infrared, visible)."""
        canvas = Canvas(self.camera, sky(self.street.night))
        paint_street(canvas, self.street, curbs, self.rng)
        street_surfaces = len(canvas.surfaces)
        for item in sorted(self.items, key=lambda item: -item.ahead):
            canvas.begin(item.label, item.detection)
            item.draw(canvas)
            canvas.end()
        shadow = self._shadow(canvas)
        shadow[canvas.map >= street_surfaces] = 1  # it lies on the ground, not on who casts it
        light = new_light(self.street, self.camera, self.rng)
        visible = visible_image(canvas, shadow, light, self.rng)
        return canvas, (infrared_image(canvas, shadow, light, self.rng), visible)

    def _fresh(self) -> Rng:
        """Randomness of one item's own, so that its looks do not move the others."""
        return np.random.default_rng(self.rng.integers(2**32))

    def _place(self, spot: Spot, width: float, height: float) -> tuple[float, float] | None:
        """A free foot point among a few draws of `spot`, or None."""
        for _ in range(16):
            right, ahead = spot()
            if self._free(right, ahead, width, height):
                return right, ahead
        return None

    def _free(self, right: float, ahead: float, width: float, height: float) -> bool:
        """Claim the picture area of an upright rectangle; False where too much of it is taken."""
        corners = [(right - width / 2, height, ahead), (right + width / 2, 0.0, ahead)]
        box = self.camera.project(corners).ravel()
        box = box.clip(0, [self.camera.width, self.camera.height] * 2)
        area = _area(box)
        if area < 0.75 * width * height * (self.camera.focal / ahead) ** 2:
            return False
        for other in self._taken:
            shared = np.concatenate(
                [np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])]
            )
            if _area(shared) > 0.12 * min(area, _area(other)):
                return False
        self._taken.append(box)
        return True

    def _shadow(self, canvas: Canvas) -> NDArray[np.float32]:
        """Share of the sky's light that reaches the ground between things."""
        mask = np.zeros(canvas.map.shape, np.uint8)
        lean = self.rng.uniform(-0.8, 0.8)
        for left, right, near, far in filter(None, (item.shadow for item in self.items)):
            ground = [(left, near), (right, near), (right + lean, far), (left + lean, far)]
            points = self.camera.project([(x, 0, z) for x, z in ground]).clip(-4000, 4000)
            cv2.fillPoly(mask, [points.astype(np.int32)], 1)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.008 * canvas.map.shape[1])
        return np.asarray(1 - self.rng.uniform(0.3, 0.6) * soft, np.float32)


def _area(box: NDArray[np.float64]) -> float:
    return float(np.prod(np.maximum(box[2:] - box[:2], 0)))
