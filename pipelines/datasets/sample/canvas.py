"""A scene as surfaces: polygons in meters, painted far to near into a map of surface numbers.

Every pixel holds the number of the surface seen there, so that reflectance, temperature, label
and object are one table look-up each, exactly aligned in both modalities.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

OVERSAMPLING = 2
_SUBPIXEL_BITS = 4
_NEAREST = 0.5  # meters; no polygon reaches behind the camera


Box = tuple[int, int, int, int]
"""xmin, ymin, xmax, ymax in pixels, the maxima exclusive."""


@dataclass(frozen=True)
class Surface:
    """What a surface does in both bands.

    Attributes:
        color: reflectance of red, green, blue in [0, 1].
        temperature: degrees above the road's.
        texture: relative amplitude of fine reflectance texture.
        ground: relative amplitude of texture that lies on the ground (asphalt, slabs).
        emission: radiance of red, green, blue of a light source.
        retro: share of the own head lights thrown straight back (cones, lane marks, plates).
    """

    color: tuple[float, float, float]
    temperature: float = 0.0
    texture: float = 0.06
    ground: float = 0.0
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    retro: float = 0.0

    def shaded(self, factor: float) -> "Surface":
        """The same surface turned from the light."""
        red, green, blue = self.color
        return replace(self, color=(red * factor, green * factor, blue * factor))


@dataclass(frozen=True)
class Camera:
    """A pinhole camera above the road, looking along it; pixels are the oversampled ones."""

    width: int
    height: int
    focal: float
    horizon: float
    elevation: float = 1.9

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (right, up, ahead) in meters, N×3 -> (column, row), N×2."""
        x, y, z = np.asarray(points, np.float64).T
        scale = self.focal / np.maximum(z, _NEAREST)
        return np.stack(
            [self.width / 2 + scale * x, self.horizon + scale * (self.elevation - y)], axis=1
        )

    def ground(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(right, ahead) in meters of the ground seen in each pixel; far away above the horizon."""
        rows = np.arange(self.height, dtype=np.float32)[:, None] + 0.5
        columns = np.arange(self.width, dtype=np.float32)[None] + 0.5
        ahead = self.focal * self.elevation / np.maximum(rows - self.horizon, 0.5)
        return (columns - self.width / 2) * ahead / self.focal, ahead.repeat(self.width, axis=1)


class Canvas:
    """Surfaces painted over each other; what is painted later hides what was before."""

    def __init__(self, camera: Camera, background: Surface) -> None:
        self.camera = camera
        self.map = np.zeros((camera.height, camera.width), np.int32)
        self.surfaces = [background]
        self.labels = [0]
        self.objects = [-1]
        self.classes: list[int] = []
        self.painted: list[int] = []
        self._label, self._object = 0, -1

    def polygon(self, points: ArrayLike, surface: Surface) -> None:
        """Fill a polygon given by (right, up, ahead) in meters, N×3."""
        self._fill(self.camera.project(points), surface)

    def flat(self, ahead: float, right: float, points: ArrayLike, surface: Surface) -> None:
        """Fill a polygon that faces the camera: (right, up) from a foot point, meters, N×2."""
        local = np.asarray(points, np.float64)
        z = np.full(len(local), ahead)
        self.polygon(np.stack([local[:, 0] + right, local[:, 1], z], axis=1), surface)

    def begin(self, label: int = 0, detection: int | None = None) -> None:
        """What is painted from here on has this label, and is one object of this class."""
        self._label, self._object = label, -1
        if detection is not None:
            self._object = len(self.classes)
            self.classes.append(detection)
            self.painted.append(0)

    def end(self) -> None:
        """Close what `begin` opened; pixels painted until now count as the whole object."""
        if self._object >= 0:
            members = np.asarray(self.objects) == self._object
            self.painted[self._object] = int(members[self.map].sum())
        self._label, self._object = 0, -1

    def _fill(self, pixels: NDArray[np.float64], surface: Surface) -> None:
        scaled = np.rint((pixels.clip(-4000, 4000) - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(self.map, [scaled], len(self.surfaces), shift=_SUBPIXEL_BITS)
        self.surfaces.append(surface)
        self.labels.append(self._label)
        self.objects.append(self._object)

    def label_map(self) -> NDArray[np.uint8]:
        """Label of each image pixel, taken at its center."""
        return np.asarray(self.labels, np.uint8)[self._centers()]

    def boxes(self, visible_share: float, smallest: float) -> list[tuple[int, Box]]:
        """Class of each object and box of what is seen of it.

        Objects that others hide but for less than `visible_share`, or whose box has a side below
        `smallest` pixels, are left out.
        """
        seen = np.asarray(self.objects)[self._centers()]
        found = []
        for number, (kind, painted) in enumerate(zip(self.classes, self.painted, strict=True)):
            mask = seen == number
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            if not rows.size or mask.sum() * OVERSAMPLING**2 < visible_share * painted:
                continue
            left, top = int(columns[0]), int(rows[0])
            box = left, top, int(columns[-1]) + 1, int(rows[-1]) + 1
            if min(box[2] - box[0], box[3] - box[1]) >= smallest:
                found.append((kind, box))
        return found

    def _centers(self) -> NDArray[np.int32]:
        return self.map[1::OVERSAMPLING, 1::OVERSAMPLING]


def rectangle(left: float, right: float, low: float, high: float) -> list[tuple[float, float]]:
    """Corners of an upright rectangle."""
    return [(left, low), (right, low), (right, high), (left, high)]


def disc(x: float, y: float, radius: float, squeeze: float = 1.0) -> NDArray[np.float64]:
    """A circle as a polygon; `squeeze` narrows it."""
    angle = np.linspace(0, 2 * np.pi, 17)[:-1]
    return np.stack([x + radius * squeeze * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def limb(start: Sequence[float], stop: Sequence[float], thickness: float) -> NDArray[np.float64]:
    """A thick line with cut ends as a polygon."""
    a, b = np.asarray(start, np.float64), np.asarray(stop, np.float64)
    along = (b - a) / max(float(np.hypot(*(b - a))), 1e-9)
    across = np.array([-along[1], along[0]]) * thickness / 2
    return np.stack([a + across, b + across, b - across, a - across])
