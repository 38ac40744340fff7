"""Random splits: the same names and seed give the same lists on every machine."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from fusion.core.errors import InputError
from fusion.images.pairs import natural_key
from fusion.images.prepared import SPLITS


def make_split(
    names: Sequence[str],
    protocol: Literal["random", "blocks", "grouped"],
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    block: int = 100,
    groups: Mapping[str, int] | None = None,
) -> dict[str, list[str]]:
    """Divide images into train, val and test.

    Args:
        names: image names; their order does not matter.
        protocol: "random" draws image by image (the papers' way; neighboring frames of a video
            leak between the parts); "blocks" draws runs of `block` consecutive names, 2 before
            10; "grouped" draws the groups given, e.g. of near-duplicates.
        fractions: of train, val and test; the parts come as near to them as whole units allow.
        seed: seed of the order.
        block: names per block.
        groups: a group number for every name, for "grouped".

    Returns:
        Sorted names by part; every name is in exactly one, and a part is empty only if its
        fraction is 0.

    Raises:
        InputError: there are fewer images, blocks or groups than parts to fill.

    >>> names = [str(number) for number in range(10)]
    >>> parts = make_split(names, "random", (0.6, 0.2, 0.2), seed=0)
    >>> {part: len(members) for part, members in parts.items()}
    {'train': 6, 'val': 2, 'test': 2}
    """
    ordered = sorted(names)
    if protocol == "random":
        units = [[name] for name in ordered]
    elif protocol == "blocks":
        ordered.sort(key=natural_key)
        units = [ordered[start : start + block] for start in range(0, len(ordered), block)]
    else:
        members: dict[int, list[str]] = {}
        for name in ordered:
            members.setdefault((groups or {})[name], []).append(name)
        units = list(members.values())
    if len(units) < np.count_nonzero(fractions):
        raise InputError(
            "split",
            f"'{protocol}' finds only {len(units)} separate units in {len(ordered)} images",
            "use smaller blocks, more images or another protocol",
        )
    shuffled = [units[index] for index in np.random.default_rng(seed).permutation(len(units))]
    parts, start = {}, 0
    for part, stop in zip(SPLITS, _cuts([len(unit) for unit in shuffled], fractions), strict=True):
        parts[part] = sorted(name for unit in shuffled[start:stop] for name in unit)
        start = stop
    return parts


def _cuts(sizes: Sequence[int], fractions: tuple[float, float, float]) -> list[int]:
    """The end of each part in a list of units: nearest to its share, no requested part empty."""
    filled = np.concatenate([[0], np.cumsum(sizes)])
    wanted = [fraction > 0 for fraction in fractions]
    cuts = [0]
    for index, share in enumerate(np.cumsum(fractions)[:-1]):
        first = cuts[-1] + wanted[index]
        last = len(sizes) - sum(wanted[index + 1 :]) if wanted[index] else first
        distances = np.abs(filled[first : last + 1] - share * filled[-1])
        cuts.append(first + int(distances.argmin()))
    return [*cuts[1:], len(sizes)]
