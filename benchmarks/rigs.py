"""How exactly transforms are found, on rigs made of aligned pairs and on pairs of known warps.

    python -m benchmarks.rigs turned --pairs MSRS
    python -m benchmarks.rigs sizes --pairs MSRS
    python -m benchmarks.rigs warped --pairs misaligned/msrs

A set is a folder with `ir` and `vi` of aligned pairs; the middle of each pair is taken, so that all
have one size. `warped` takes a folder whose `ir` is warped, and whose `flow/<stem>.npz` says where
each of its places lies in the aligned image (a grid of x, y in −1..1). Mutual information needs
SimpleITK (`uv run --with SimpleITK`). Prints JSON, errors in pixels.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.registration import METHODS, available
from fusion.alignment.blocks import refine
from fusion.alignment.estimate import find_jointly
from fusion.alignment.grid import Gray, Size, View
from fusion.alignment.search import search
from fusion.alignment.transforms import (
    Matrix,
    Points,
    corner_distance,
    corners,
    fit,
    inverse,
    project,
    resizing,
)
from fusion.alignment.warp import Area, warp
from fusion.images.decode import read_infrared
from fusion.images.pairs import Pair, find_pairs
from fusion.images.panels import spread

MIDDLE = 280, 460
"""Height and width of the part of each pair that is used."""

app = typer.Typer()


@app.command()
def turned(
    pairs: Annotated[Path, typer.Option()], count: int = 12, single: int = 6, seed: int = 0
) -> None:
    """A rig turned by 1 degree, scaled by 2 % and shifted: jointly, and from single pairs."""
    random = np.random.default_rng(seed)
    images = list(aligned(pairs, count))
    size = tuple(side - 60 for side in MIDDLE)
    truth = rig(random, size, size, share=1 / 1.02, degrees=1, offset=(9, 5), perspective=0)
    views = [seen(View(infrared, visible), truth, size, size) for infrared, visible in images]
    rows = {"none": corner_distance(resizing(size, size), truth, size)}
    rows["jointly"] = corner_distance(find_jointly(views), truth, size)
    for name in available():
        found = [METHODS[name](view) for view in spread(views, single)]
        errors = [corner_distance(matrix, truth, size) for matrix in found]
        middle = np.median([project(matrix, corners(size)) for matrix in found], axis=0)
        together = np.linalg.norm(middle - project(truth, corners(size)), axis=1).mean()
        rows[name] = {"one pair, median": float(np.median(errors)), "median of corners": together}
    _show(pairs, len(views), rows)


@app.command()
def sizes(
    pairs: Annotated[Path, typer.Option()], count: int = 24, rigs: int = 3, seed: int = 0
) -> None:
    """Rigs whose infrared camera has another size and field of view."""
    random, rows = np.random.default_rng(seed), []
    images = list(aligned(pairs, count))
    for _ in range(rigs):
        infrared = [(240, 320), (384, 512), (480, 640)][random.integers(3)]
        share, degrees = random.uniform(0.6, 0.8), random.uniform(-4, 4)
        offset = random.uniform(-0.05, 0.05, 2) * MIDDLE[::-1]
        truth = rig(random, MIDDLE, infrared, share, degrees, offset, perspective=5e-5)
        views = [seen(View(*image), truth, MIDDLE, infrared) for image in images]
        scale = share * MIDDLE[1] / infrared[1]  # visible pixels, whatever the infrared size
        guess = search(views)
        found = {"resizing": resizing(MIDDLE, infrared), "search": guess}
        found["refinement"] = refine(views, guess)
        rows.append({k: scale * corner_distance(m, truth, MIDDLE) for k, m in found.items()})
    _show(pairs, len(images), rows)


@app.command()
def warped(pairs: Annotated[Path, typer.Option()], count: int = 10) -> None:
    """Pairs that each have a warp of their own: the median error over each image."""
    rows: dict[str, list[float]] = {name: [] for name in ("none", *available(), "homography")}
    chosen = spread(find_pairs(pairs / "ir", pairs / "vi"), count)
    for pair in chosen:
        view = View(*read(pair))
        warped_places, true_places = flow(pairs / "flow" / f"{pair.name}.npz", view.visible)
        matrices = {name: METHODS[name](view) for name in available()}
        matrices["none"] = np.eye(3)
        matrices["homography"] = inverse(fit("homography", warped_places, true_places))
        for name, matrix in matrices.items():
            error = project(inverse(matrix), warped_places) - true_places
            rows[name].append(float(np.median(np.linalg.norm(error, axis=1))))
    shown = {
        name: {
            "median": float(np.median(errors)),
            "worse": int(np.sum(np.array(errors) > rows["none"])),
        }
        for name, errors in rows.items()
    }
    _show(pairs, len(chosen), shown)


def aligned(folder: Path, count: int) -> Iterator[tuple[Gray, Gray]]:
    """The middle of pairs that are large enough, infrared and visible."""
    images = (read(pair) for pair in find_pairs(folder / "ir", folder / "vi"))
    fits = [image for image in images if all(np.array(image[0].shape) >= MIDDLE)]
    for pair in spread(fits, count):
        top, left = ((side - part) // 2 for side, part in zip(pair[0].shape, MIDDLE, strict=True))
        inner = slice(top, top + MIDDLE[0]), slice(left, left + MIDDLE[1])
        yield pair[0][inner], pair[1][inner]


def read(pair: Pair) -> tuple[Gray, Gray]:
    return read_infrared(pair.infrared).pixels, read_infrared(pair.visible).pixels


def rig(
    random: np.random.Generator,
    visible: Size,
    infrared: Size,
    share: float,
    degrees: float,
    offset: Points | tuple[float, float],
    perspective: float,
) -> Matrix:
    """Visible to infrared pixels: an infrared camera that shows a share of the view's width."""
    angle, scale = np.deg2rad(degrees), infrared[1] / (share * visible[1])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (np.array(visible[::-1]) - 1) / 2 + offset
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = (np.array(infrared[::-1]) - 1) / 2 - turn @ middle
    matrix[2, :2] = random.uniform(-perspective, perspective, 2)
    return matrix


def seen(view: View, truth: Matrix, visible: Size, infrared: Size) -> View:
    """What the cameras of a rig show of an aligned pair; the visible one, its middle."""
    top, left = ((of - to) // 2 for of, to in zip(view.visible.shape, visible, strict=True))
    inner = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    thermal = warp(view.infrared, inner @ inverse(truth), Area(0, 0, *infrared[::-1]))
    rows, columns = slice(top, top + visible[0]), slice(left, left + visible[1])
    return View(thermal, np.ascontiguousarray(view.visible[rows, columns]))


def flow(path: Path, image: Gray) -> tuple[Points, Points]:
    """Places of the warped image, and where they lie in the aligned one; N×2 in its pixels."""
    with np.load(path) as file:
        grid = file["flow"].astype(np.float64)
    height, width = image.shape
    y, x = np.mgrid[: grid.shape[0], : grid.shape[1]]
    places = np.stack([x, y], axis=-1) * 2 / (np.array(grid.shape[1::-1]) - 1) - 1
    inside = (np.abs(grid) < 1).all(-1)  # others are not in the aligned image
    both = (places[inside], grid[inside])
    half = np.array([width - 1, height - 1]) / 2
    warped_places, true_places = ((normalized + 1) * half for normalized in both)
    return warped_places, true_places


def _show(folder: Path, count: int, rows: object) -> None:
    rounded: Callable[[str], float] = lambda text: round(float(text), 2)  # noqa: E731
    result = {"set": str(folder), "pairs": count, "errors": rows}
    shown = json.loads(json.dumps(result, default=float), parse_float=rounded)
    typer.echo(json.dumps(shown, indent=1))


if __name__ == "__main__":
    app()
