"""One split for all methods: the same names, the same seed, the same lists on every machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

SPLITS = ("train", "val", "test")


def make_split(
    names: Sequence[str],
    protocol: Literal["random", "blocks", "grouped"],
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    block: int = 50,
    groups: Mapping[str, int] | None = None,
) -> dict[str, list[str]]:
    """Divide images into train, val and test.

    Args:
        names: image names; their order does not matter.
        protocol: "random" draws image by image (the papers' way; neighbouring frames of a video
            leak between the parts); "blocks" draws runs of `block` consecutive names; "grouped"
            draws the groups given, e.g. of near-duplicates.
        fractions: of train, val and test; the parts come as near to them as whole units allow.
        seed: draws the order.
        block: names a block.
        groups: a group number for every name, for "grouped".

    Returns:
        Sorted names by part; every name is in exactly one.
    """
    ordered = sorted(names)
    if protocol == "random":
        units = [[name] for name in ordered]
    elif protocol == "blocks":
        units = [ordered[start : start + block] for start in range(0, len(ordered), block)]
    else:
        members: dict[int, list[str]] = {}
        for name in ordered:
            members.setdefault((groups or {})[name], []).append(name)
        units = list(members.values())
    order = np.random.default_rng(seed).permutation(len(units))
    split: dict[str, list[str]] = {part: [] for part in SPLITS}
    limits = np.cumsum(fractions) * len(ordered)
    placed = 0
    for index in order:
        middle = placed + len(units[index]) / 2
        part = SPLITS[int(np.searchsorted(limits[:2], middle, side="right"))]
        split[part] += units[index]
        placed += len(units[index])
    return {part: sorted(chosen) for part, chosen in split.items()}


def split_checksum(split: Mapping[str, Sequence[str]]) -> str:
    """SHA-256 of the lists, so that two results can be seen to stand on the same split."""
    return hashlib.sha256(json.dumps(split, sort_keys=True).encode()).hexdigest()
