"""How often `pomai prepare` and `pomai fuse` note a shift of sets that are, and are not, shifted.

    python -m benchmarks.shift_notes --sets MSRS,ROADSCENE,TNO

Each set is a folder with `ir` and `vi` of aligned pairs. The infrared images are moved by 0 and
more pixels to all four sides, and both are cropped, so that no pixel is made up. Each pair is
measured once for each shift; random sets of ten pairs then cost only the sum. A random set has one
shift in one random direction. Prints JSON: the share of sets that are noted, and, of those, the
share whose measured shift is right to two pixels.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fusion.alignment.shift import Agreement, Shift, measure_agreement, noted_shift
from fusion.images.decode import read_infrared
from fusion.images.pairs import Pair, find_pairs

DIRECTIONS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Right and down."""

RIGHT = 2.0
"""Pixels by which a shift may differ from the true one to count as right."""

Offset = tuple[int, int]


def main(
    sets: Annotated[str, typer.Option()],
    shifts: str = "0,4,8,16",
    size: int = 10,
    draws: int = 1000,
    seed: int = 0,
) -> None:
    """Draw DRAWS sets of SIZE pairs for each shift; print the result as JSON."""
    lengths = sorted(int(length) for length in shifts.split(","))
    result: dict[str, object] = {"size": size, "draws": draws, "seed": seed}
    for folder in map(Path, sets.split(",")):
        pairs = find_pairs(folder / "ir", folder / "vi")
        measured = agreements(pairs, lengths)
        random = np.random.default_rng(seed)
        rows = {length: rates(measured, length, size, draws, random) for length in lengths}
        result[str(folder)] = {"pairs": len(pairs), "shifts": rows}
    typer.echo(json.dumps(result, indent=1))


def agreements(pairs: Sequence[Pair], lengths: Sequence[int]) -> dict[Offset, list[Agreement]]:
    """The agreement of every pair, for every offset (right, down) of its infrared image."""
    wanted = list(dict.fromkeys(offset for length in lengths for offset in offsets(length)))
    found: dict[Offset, list[Agreement]] = {offset: [] for offset in wanted}
    margin = max(lengths)
    for pair in pairs:
        infrared, visible = (read_infrared(path).pixels for path in (pair.infrared, pair.visible))
        rows, columns = (side - margin for side in visible.shape)
        inner = visible[margin:rows, margin:columns]
        for right, down in wanted:
            moved = infrared[margin - down : rows - down, margin - right : columns - right]
            found[right, down].append(measure_agreement(moved, inner))
    return found


def offsets(length: int) -> Iterator[Offset]:
    """(right, down) of a shift of some pixels in each direction."""
    return ((length * right, length * down) for right, down in DIRECTIONS)


def rates(
    measured: dict[Offset, list[Agreement]],
    length: int,
    size: int,
    draws: int,
    random: np.random.Generator,
) -> dict[str, float]:
    """Share of random sets that are noted, and of these the share whose note is right."""
    noted, right = 0, 0
    for _ in range(draws):
        offset = list(offsets(length))[random.integers(len(DIRECTIONS))]
        chosen = random.choice(len(measured[offset]), size, replace=False)
        if shift := noted_shift([measured[offset][number] for number in chosen]):
            noted += 1
            right += is_right(shift, offset)
    shown = {"noted": noted / draws}
    return shown | ({"right": round(right / noted, 4)} if noted and length else {})


def is_right(shift: Shift, offset: Offset) -> bool:
    """Whether a measured shift is the true one, to `RIGHT` pixels."""
    return bool(np.hypot(shift.right - offset[0], shift.down - offset[1]) <= RIGHT)


if __name__ == "__main__":
    typer.run(main)
