"""Checks that rows were measured alike; names the differing rows and fields, and a remedy."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fusion.core.errors import InputError, list_names
from fusion.core.protocol import Protocol, differences, protocol_digest
from pipelines.report.board import Board

TASKS = {"evaluate": "fusion metrics", "detect": "detection", "segment": "segmentation"}
"""Stage -> what it measures."""

_SHOWN = 6


def require_comparable(
    board: Board,
    present: Mapping[str, Callable[[], Protocol]] = MappingProxyType({}),
) -> None:
    """Reject scores of one column that were measured differently.

    Args:
        board: all scores.
        present: stage -> what its runs would share now; see `require_alike`.

    Raises:
        InputError: as `require_alike`.
    """
    for stage, dataset, rows in board.protocols():
        require_alike(stage, dataset, rows, present.get(stage, dict))


def require_alike(
    stage: str,
    dataset: str,
    rows: Mapping[str, Protocol],
    present: Callable[[], Protocol] = dict,
) -> None:
    """Reject a column of the leaderboard whose rows were measured differently.

    Args:
        stage: one of `TASKS`.
        dataset: data set of the column.
        rows: method -> protocol.
        present: returns the conditions of a run at present; only rows with other conditions have
            to run again. It is called only if rows differ.

    Raises:
        InputError: naming rows, fields, both values and the command that makes the rows alike.
    """
    groups: dict[str, list[str]] = {}
    for method, protocol in rows.items():
        groups.setdefault(protocol_digest(protocol), []).append(method)
    if len(groups) < 2:
        return
    usual, *others = sorted(groups.values(), key=len, reverse=True)
    words = [
        f"{list_names(methods)} (unlike {list_names(usual)}): "
        + _in_words(differences(rows[methods[0]], rows[usual[0]]))
        for methods in others
    ]
    targets = " ".join(f"{stage}@{method}-{dataset}" for method in _to_repeat(rows, present()))
    raise InputError(
        f"{TASKS[stage]} on {dataset}",
        f"was not measured alike for all methods: {'; '.join(words)}",
        f"run `dvc repro --force --single-item {targets}`, then `dvc repro`",
    )


def _to_repeat(rows: Mapping[str, Protocol], present: Protocol) -> list[str]:
    """Rows whose conditions differ from the present ones; all rows if the others still differ."""
    stale = [method for method, protocol in rows.items() if not _has(protocol, present)]
    kept = {protocol_digest(rows[method]) for method in rows if method not in stale}
    return stale if stale and len(kept) == 1 else list(rows)


def _has(protocol: Protocol, present: Protocol) -> bool:
    return protocol == {**protocol, **present}


def _in_words(found: Mapping[str, tuple[Any, Any]]) -> str:
    shown = [f"{name} is {_short(a)}, not {_short(b)}" for name, (a, b) in found.items()]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 24 else f"{text[:12]}…"
