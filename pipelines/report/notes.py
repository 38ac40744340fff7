"""The notes below the leaderboard's tables."""

from collections.abc import Collection, Mapping, Sequence

from fusion.metrics.summary import RANGE
from pipelines.report.board import Board

FULL_RANGE = 250
"""Smallest range of gray levels of a stretched image; color and rounding cost up to two."""


_EARLY_FUSION = (
    "both images without fusing, as four input channels of the detector or segmentation network; "
    "filters of trained start weights get infrared as the mean of their colors; no fusion metrics"
)


def notes(board: Board, precomputed: Collection[str], unfused: Sequence[str] = ()) -> list[str]:
    """Everything below the leaderboard's tables.

    Args:
        board: all scores.
        precomputed: the rows with images from other software.
        unfused: the rows of early fusion.
    """
    return [
        *conditions(board),
        *absent_classes(board),
        *precomputed_rows(board, precomputed),
        *(f"{row}: {_EARLY_FUSION}" for row in unfused),
    ]


def conditions(board: Board) -> list[str]:
    """How every data set's scores were measured; each sentence once."""
    found = [
        f"{dataset}: fusion metrics are means over {row.summary.images} test images"
        f"{f' ({row.selection})' if row.selection else ''}, protocol "
        f"`{row.summary.protocol}`, stretch {'on' if row.stretch else 'off'}"
        for dataset, measured in board.fusion.items()
        for row in measured.values()
    ]
    for dataset, detected in board.detection.items():
        found += [
            f"{dataset}: detection by {run.conditions}"
            for runs in detected.values()
            for run in runs.values()
        ]
    for dataset, labeled in board.segmentation.items():
        found += [
            f"{dataset}: segmentation by {run.conditions}"
            for by_seed in labeled.values()
            for run in by_seed.values()
        ]
    return list(dict.fromkeys(found))


def absent_classes(board: Board) -> list[str]:
    """The classes that have no value, by data set and task, and the rows that this is true of."""
    detected = "the test images have no object of {}: no average precision, left out of mAP"
    labeled = "{} neither occurs in the test images nor was predicted: no IoU, left out of mIoU"
    sentences = []
    for dataset, found in board.detection.items():
        absent = {
            method: _absent([run.ap50 for run in runs.values()]) for method, runs in found.items()
        }
        sentences += _by_class(dataset, absent, detected)
    for dataset, rows in board.segmentation.items():
        absent = {
            method: _absent([run.test.iou for run in by_seed.values()])
            for method, by_seed in rows.items()
        }
        sentences += _by_class(dataset, absent, labeled)
    return sentences


def _absent(values: Sequence[Mapping[str, float | None]]) -> list[str]:
    """Classes without a value for one seed at least, in their order."""
    return [name for name in values[0] if any(value[name] is None for value in values)]


def _by_class(dataset: str, absent: Mapping[str, Collection[str]], words: str) -> list[str]:
    """A sentence for each set of rows without the same classes."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(name for names in absent.values() for name in names):
        having = tuple(method for method, names in absent.items() if name in names)
        rows.setdefault(having, []).append(name)
    return [
        f"{dataset}: {words.format(', '.join(names))}"
        + ("" if len(methods) == len(absent) else f" (rows {', '.join(methods)})")
        for methods, names in rows.items()
    ]


def precomputed_rows(board: Board, rows: Collection[str]) -> list[str]:
    """Whether images from other software are stretched, here or (judged by their range) before."""
    return [_precomputed(board, row) for row in rows]


def _precomputed(board: Board, row: str) -> str:
    measured = {dataset: rows[row] for dataset, rows in board.fusion.items() if row in rows}
    if any(scores.stretch for scores in measured.values()):
        return f"{row}: images fused elsewhere, stretched here like those of all rows"
    full = [
        f"{int((scores.images[RANGE] >= FULL_RANGE).sum())} of {len(scores.images)} on {dataset}"
        for dataset, scores in measured.items()
    ]
    return (
        f"{row}: images fused elsewhere, as delivered, not stretched here; {', '.join(full)} "
        f"span {FULL_RANGE} gray levels or more, as stretched ones do"
    )
