"""Who stands where: scenes with the nine classes of MSRS or the six of M3FD."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from detection.classes import CLASSES as M3FD
from pipelines.datasets.sample import objects, vehicles
from pipelines.datasets.sample.canvas import Box
from pipelines.datasets.sample.stage import Images, Item, Stage
from pipelines.datasets.sample.street import new_camera, new_street
from segmentation.labels import CLASSES as MSRS

Rng = np.random.Generator

PERSON = (0.8, 1.75)  # meters: width, height; of vehicles width, height, length
BIKE, MOTORCYCLE, CONE, CAR_STOP = (1.8, 1.1), (2.0, 1.25), (0.6, 0.8), (1.9, 0.4)
CAR, BUS, TRUCK = (1.8, 1.5, 4.2), (2.5, 3.1, 8.6), (2.4, 3.3, 5.9)


def msrs_scene(height: int, width: int, night: bool, rng: Rng) -> tuple[Images, NDArray[np.uint8]]:
    """A scene for segmentation; a few nights are empty, as in MSRS.

    Returns:
        (infrared H×W, visible H×W×3), and the label map, H×W, 0..8.
    """
    stage = Stage(new_camera(height, width, rng), new_street(night, rng), rng)
    _lamps(stage, labeled=False)
    if night and rng.uniform() < 0.04:
        canvas, images = stage.shoot(curbs=False)
        return images, canvas.label_map()
    if rng.uniform() < 0.6:
        _bump(stage)
    if rng.uniform() < 0.55:
        _guardrails(stage)
    _msrs_items(stage)
    canvas, images = stage.shoot(curbs=bool(rng.uniform() < 0.8))
    return images, canvas.label_map()


def _msrs_items(stage: Stage) -> None:
    rng, stand = stage.rng, stage.stand
    for _ in range(rng.integers(1, 3)):
        stage.drive(vehicles.car, CAR, (6.0, 13.0), MSRS.index("car"))
    for _ in range(rng.choice(3, p=[0.35, 0.4, 0.25])):
        spot = partial(stage.curbside, 4.0, 7.5, 1.0)
        stand(objects.car_stop, CAR_STOP, spot, MSRS.index("car stop"))
    for _ in range(rng.choice(3, p=[0.2, 0.5, 0.3])):
        stand(objects.bike, BIKE, partial(stage.anywhere, 4.5, 8.0), MSRS.index("bike"))
    for _ in range(rng.integers(1, 4)):
        stand(objects.person, PERSON, partial(stage.anywhere, 4.5, 9.0), MSRS.index("person"))
    for _ in range(rng.choice(4, p=[0.25, 0.3, 0.25, 0.2])):
        spot = partial(stage.anywhere, 3.6, 7.0, 0.5)
        stand(objects.cone, CONE, spot, MSRS.index("color cone"))


def _bump(stage: Stage) -> None:
    street, ahead = stage.street, stage.rng.uniform(4.5, 8.0)
    draw = partial(objects.bump, left=street.left + 0.2, right=street.right - 0.2, ahead=ahead)
    stage.items.append(Item(ahead + 1.6, draw, MSRS.index("bump")))


def _guardrails(stage: Stage) -> None:
    """A rail on either side or on both, in pieces, so that things can stand before and behind."""
    street, sides = stage.street, stage.rng.choice(3)
    label = MSRS.index("guardrail")
    for number, right in enumerate((street.left - 0.55, street.right + 0.55)):
        if sides == number:
            continue
        for near in np.arange(2.0, 26.0, 2.0):
            draw = partial(objects.guardrail, right=right, near=near, far=near + 2.0)
            stage.items.append(Item(near + 1.0, draw, label))


def m3fd_scene(
    height: int, width: int, night: bool, rng: Rng
) -> tuple[Images, list[tuple[int, Box]]]:
    """A scene for detection; a few have no objects.

    Returns:
        (infrared H×W, visible H×W×3), and the class and box of each object, see `Canvas.boxes`.
    """
    stage = Stage(new_camera(height, width, rng), new_street(night, rng), rng)
    _lamps(stage, labeled=True)
    if rng.uniform() >= 0.03:
        _m3fd_items(stage)
    canvas, images = stage.shoot(curbs=bool(rng.uniform() < 0.8))
    return images, canvas.boxes(visible_share=0.4, smallest=0.05 * width)


def _m3fd_items(stage: Stage) -> None:
    """Vehicles first: they need the most room."""
    rng = stage.rng
    vehicle_of = {
        "Car": (vehicles.car, CAR, (5.5, 11.0)),
        "Bus": (vehicles.bus, BUS, (8.0, 15.0)),
        "Truck": (vehicles.truck, TRUCK, (8.0, 14.0)),
    }
    for kind in rng.permutation(list(vehicle_of))[: rng.choice([1, 2, 3], p=[0.2, 0.45, 0.35])]:
        stage.drive(*vehicle_of[kind], detection=M3FD.index(kind))
    for _ in range(rng.integers(0, 3)):
        spot = partial(stage.anywhere, 4.0, 8.0)
        stage.stand(objects.person, PERSON, spot, detection=M3FD.index("People"))
    if rng.uniform() < 0.6:
        spot = partial(stage.anywhere, 4.2, 7.5)
        motorcycle = partial(objects.motorcycle, cold=stage.stood())
        stage.stand(motorcycle, MOTORCYCLE, spot, detection=M3FD.index("Motorcycle"))


def _lamps(stage: Stage, labeled: bool) -> None:
    """Street lamps; their lanterns are the objects."""
    kind = M3FD.index("Lamp") if labeled else None
    for right, ahead in stage.street.lamps:
        post = partial(objects.lamp_post, right=right, ahead=ahead)
        head = partial(objects.lantern, right=right, ahead=ahead, lit=stage.street.night)
        stage.items += [Item(ahead + 0.01, post), Item(ahead, head, detection=kind)]
