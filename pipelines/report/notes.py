"""What a reader of the leaderboard must know besides its numbers."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

FULL_RANGE = 250
"""Grey levels from which an image passes for stretched: colour and rounding take up to two."""


def absent_classes(
    scores: Path, methods: Sequence[str], detect_on: Sequence[str], segment_on: Sequence[str]
) -> list[str]:
    """The classes that have no value, by data set and task, and the rows that this is true of.

    Args:
        scores: folder with `detect-<method>-<set>/scores.json` and `segment-…/scores.json`.
        methods: rows of the leaderboard.
        detect_on, segment_on: data sets of each task.
    """
    detected = "the test images have no object of {}: no average precision, left out of mAP"
    labelled = "{} neither occurs in the test images nor was predicted: no IoU, left out of mIoU"
    notes = []
    for stage, datasets, key, words in (
        ("detect", detect_on, "ap50", detected),
        ("segment", segment_on, "iou", labelled),
    ):
        for dataset in datasets:
            absent = {m: _absent(scores / f"{stage}-{m}-{dataset}", key) for m in methods}
            notes += _by_class(dataset, absent, words)
    return notes


def _absent(folder: Path, key: str) -> list[str]:
    """Classes without a value for one seed at least, in their order."""
    runs: dict[str, Any] = json.loads((folder / "scores.json").read_text())["seeds"]
    values = [run[key] for run in runs.values()]
    return [name for name in values[0] if any(value[name] is None for value in values)]


def _by_class(dataset: str, absent: Mapping[str, Collection[str]], words: str) -> list[str]:
    """A sentence for each set of rows that lack the same classes."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(name for names in absent.values() for name in names):
        having = tuple(method for method, names in absent.items() if name in names)
        rows.setdefault(having, []).append(name)
    return [
        f"{dataset}: {words.format(', '.join(names))}"
        + ("" if len(methods) == len(absent) else f" (rows {', '.join(methods)})")
        for methods, names in rows.items()
    ]


def precomputed_rows(
    ranges: Mapping[str, Mapping[str, Sequence[float]]], rows: Collection[str], stretched: bool
) -> list[str]:
    """Whether images that others fused were stretched: here, or as it seems before.

    Args:
        ranges: data set -> method -> grey levels that each of its images spans, as measured.
        rows: the precomputed ones.
        stretched: whether all rows of the leaderboard are.
    """
    if stretched:
        done = "images fused elsewhere, stretched here like those of all rows"
        return [f"{row}: {done}" for row in rows]
    notes = []
    for row in rows:
        spans = {dataset: methods[row] for dataset, methods in ranges.items() if row in methods}
        full = [
            f"{sum(span >= FULL_RANGE for span in levels)} of {len(levels)} on {dataset}"
            for dataset, levels in spans.items()
        ]
        notes.append(
            f"{row}: images fused elsewhere, as delivered, not stretched here; {', '.join(full)} "
            f"span {FULL_RANGE} grey levels or more, as stretched ones do"
        )
    return notes
