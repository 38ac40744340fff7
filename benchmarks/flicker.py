"""How steadily methods fuse video: flicker and deviation (`fusion.metrics.temporal`), and drift.

    python -m benchmarks.flicker --clip M3SVD/clip --ir MSRS/ir --vi MSRS/vi

A clip is a folder with `ir` and `vi`, frames of one video. Longer clips are made of stills: a
window moves over each, so that the true motion is known. There, drift is measured as well: the mean
absolute difference, in gray levels, of the same place of the scene in two consecutive fused frames.
It is 0 for the sources, and for a fused image whose pixels depend on their surroundings alone.
Places within `RIM` pixels of the border, which see the border, do not count. Frames are compared as
fused, before any encoder. `gradient` is the mean gradient of the fused frames, relative to that of
the brighter of both sources (`maximum`); `at equal gradient` is their flicker after scaling them to
it. Prints JSON.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.clips import Moment, moving_window, triangle
from fusion import methods
from fusion.core.memory import keep_freed_memory
from fusion.images.decode import read_infrared, read_visible, to_gray, to_rgb
from fusion.images.pairs import Pair, find_pairs
from fusion.images.panels import spread
from fusion.inference.pretrained import Fuser, load, released_networks
from fusion.metrics.temporal import Frames, temporal_change

RIM = 48
"""Pixels at the border that do not count for drift."""

WINDOW, STEP = (240, 320), 2
"""Height and width of the moving window, and its pixels a frame."""

Row = dict[str, float]


def main(
    ir: Annotated[Path, typer.Option()],
    vi: Annotated[Path, typer.Option()],
    clip: Annotated[Path | None, typer.Option()] = None,
    rows: str = "average,maximum,laplacian,pomai-tiny",
    stills: int = 6,
    frames: int = 60,
) -> None:
    """Fuse the CLIP, and FRAMES of a window over each of several STILLS; print JSON."""
    keep_freed_memory()
    pairs = spread(find_pairs(ir, vi), stills)
    result: dict[str, object] = {"stills": [pair.name for pair in pairs], "frames": frames}
    for name in rows.split(","):
        fuse = fuser(name)
        result[name] = {"moving window": mean([over_still(fuse, pair, frames) for pair in pairs])}
        if clip:
            result[name]["clip"] = mean([measure(fused(fuse, read_clip(clip)))])
    typer.echo(json.dumps(result, indent=1))


def fuser(name: str) -> Fuser:
    """A released network or another model by its path, or a method without weights by its name."""
    if name in released_networks() or Path(name).exists():
        return load(name)
    kind = methods.get(name)
    return Fuser(kind(kind.config_class()).eval())


def read_clip(folder: Path) -> Iterator[Moment]:
    """The frames of a clip."""
    for pair in find_pairs(folder / "ir", folder / "vi"):
        visible = to_rgb(read_visible(pair.visible).pixels)
        yield Moment(read_infrared(pair.infrared).pixels, visible)


def fused(fuse: Callable, moments: Iterable[Moment]) -> Iterator[Frames]:
    """Gray levels of the sources and of the fused frame."""
    for infrared, visible in moments:
        result = fuse(np.ascontiguousarray(infrared), np.ascontiguousarray(visible))
        yield Frames(infrared, to_gray(visible), to_gray(result))


def measure(frames: Iterable[Frames]) -> Row:
    """Means over the changes between frames."""
    shown = list(frames)
    changes = [temporal_change(*pair) for pair in pairwise(shown)]
    flicker, deviation = np.mean(changes, axis=0).tolist()
    ratio = sum(gradient(moment.fused) for moment in shown)
    ratio /= sum(gradient(np.maximum(moment.infrared, moment.visible)) for moment in shown)
    equal = [temporal_change(*pair).flicker for pair in pairwise(scaled(shown, 1 / ratio))]
    found = {"gradient": ratio, "at equal gradient": float(np.mean(equal))}
    return {"flicker": flicker, "deviation": deviation} | found


def gradient(image: np.ndarray) -> float:
    """Mean magnitude of the differences to the right and down."""
    levels = image.astype(float)
    across, down = np.diff(levels, axis=1)[:-1], np.diff(levels, axis=0)[:, :-1]
    return float(np.hypot(across, down).mean())


def scaled(frames: list[Frames], factor: float) -> Iterator[Frames]:
    """The fused frames with another contrast around their mean over all frames."""
    middle = np.mean([moment.fused.mean() for moment in frames])
    for moment in frames:
        levels = middle + factor * (moment.fused - middle)
        yield moment._replace(fused=levels.round().clip(0, 255).astype(np.uint8))


def over_still(fuse: Callable, pair: Pair, count: int) -> Row:
    """As `measure`, and the drift, of a window that moves over a still."""
    shown = list(fused(fuse, moving_window(pair, count, WINDOW, STEP)))
    width = shown[0].infrared.shape[1]
    places = (read_infrared(pair.infrared).pixels.shape[1] - width) // STEP + 1
    drifts = []
    for number, (before, after) in enumerate(pairwise(frames.fused for frames in shown)):
        moved = STEP * (triangle(number + 1, places) - triangle(number, places))
        rows = slice(RIM, -RIM)
        first = before[rows, RIM + moved : width - RIM + moved].astype(int)
        drifts.append(np.abs(first - after[rows, RIM : width - RIM]).mean())
    return measure(shown) | {"drift": float(np.mean(drifts))}


def mean(rows: list[Row]) -> Row:
    """Means over clips."""
    return {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
