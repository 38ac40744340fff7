"""Checks that rows were measured alike; names the differing rows and fields, and a remedy."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fusion.core.errors import InputError, list_names
from fusion.core.protocol import Protocol, differences, protocol_digest
from pipelines.report.board import Board, Run
from pipelines.scores.base import Stage, stage_name

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
    for stage, dataset, runs in board.protocols():
        require_alike(stage, dataset, runs, present.get(stage, dict))


def require_alike(
    stage: Stage,
    dataset: str,
    runs: Mapping[Run, Protocol],
    present: Callable[[], Protocol] = dict,
) -> None:
    """Reject a column of the leaderboard whose runs were measured differently.

    Args:
        stage: one of `TASKS`.
        dataset: data set of the column.
        runs: run -> protocol.
        present: returns the conditions of a run at present; only runs with other conditions have
            to be repeated. It is called only if runs differ.

    Raises:
        InputError: naming runs, fields, both values and the command that makes the runs alike.
    """
    groups: dict[str, list[Run]] = {}
    for run, protocol in runs.items():
        groups.setdefault(protocol_digest(protocol), []).append(run)
    if len(groups) < 2:
        return
    usual, *others = sorted(groups.values(), key=len, reverse=True)
    words = [
        f"{list_names(map(str, unlike))} (unlike {list_names(map(str, usual))}): "
        + _in_words(differences(runs[unlike[0]], runs[usual[0]]))
        for unlike in others
    ]
    targets = " ".join(
        stage_name(stage, run.method, dataset, run.seed) for run in _to_repeat(runs, present())
    )
    raise InputError(
        f"{TASKS[stage]} on {dataset}",
        f"was not measured alike for all methods: {'; '.join(words)}",
        f"run `dvc repro --force --single-item {targets}`, then `dvc repro`",
    )


def _to_repeat(runs: Mapping[Run, Protocol], present: Protocol) -> list[Run]:
    """Runs whose conditions differ from the present ones; all runs if the others still differ."""
    stale = [run for run, protocol in runs.items() if not _has(protocol, present)]
    kept = {protocol_digest(runs[run]) for run in runs if run not in stale}
    return stale if stale and len(kept) == 1 else list(runs)


def _has(protocol: Protocol, present: Protocol) -> bool:
    return protocol == {**protocol, **present}


def _in_words(found: Mapping[str, tuple[Any, Any]]) -> str:
    shown = [f"{name} is {_short(a)}, not {_short(b)}" for name, (a, b) in found.items()]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 24 else f"{text[:12]}…"
