"""Made pairs of one scene, seen by two sensors."""

import cv2
import numpy as np


def scene(seed, height=140, width=180):
    """Infrared and visible, aligned: random shapes, whose contrasts differ and may be reversed."""
    random = np.random.default_rng(seed)
    planes = [np.full((height, width), 90, np.float32) for _ in range(2)]
    for _ in range(25):
        center = [int(random.integers(0, side)) for side in (width, height)]
        axes = [int(random.integers(4, 30)) for _ in range(2)]
        turn = int(random.integers(0, 180))
        for plane in planes:
            cv2.ellipse(plane, center, axes, turn, 0, 360, float(random.uniform(20, 230)), -1)
    noisy = [plane + random.normal(0, 6, plane.shape) for plane in planes]
    return [np.clip(cv2.GaussianBlur(plane, (0, 0), 1), 0, 255).astype(np.uint8) for plane in noisy]


def shifted_scene(seed, right, down, margin=20):
    """A scene whose infrared image lies so many pixels to the right of and below the visible."""
    infrared, visible = scene(seed)
    height, width = visible.shape
    rows = slice(margin - down, height - margin - down)
    columns = slice(margin - right, width - margin - right)
    inner = slice(margin, height - margin), slice(margin, width - margin)
    return infrared[rows, columns], visible[inner]
