"""What DVC says about a project: its stages, their order, and which are up to date."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from fusion.core.errors import InputError
from fusion.core.files import write_bytes
from pipelines.git import git

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

LOCK = Path("dvc.lock")


class Plan(NamedTuple):
    """The stages to consider.

    needs: stage -> the stages that it depends on, in the order in which `dvc repro` runs them.
    changed: the stages that are not up to date.
    """

    needs: dict[str, set[str]]
    changed: set[str]


def plan(targets: Sequence[str] = ()) -> Plan:
    """Ask DVC, once, what `dvc repro TARGETS` would consider.

    Raises:
        InputError: dvc.yaml, dvc.lock or a target is not valid; another command runs a stage.
    """
    with _opened() as repo:
        graph, stages = _planned(repo, targets)
        # repo.status(targets=…) would read dvc.lock once per target: a second each if it is large.
        changed = {stage.addressing for stage in stages if stage.status(check_updates=True)}
        needs = {s.addressing: {d.addressing for d in graph.successors(s)} for s in stages}
        return Plan(needs, changed)


def reproduce(targets: Sequence[str] = ()) -> list[str]:
    """Plain `dvc repro TARGETS`; returns the stages that it ran, none if all were up to date.

    Raises:
        InputError: a stage failed.
    """
    with _opened() as repo:
        return [stage.addressing for stage in repo.reproduce(list(targets) or None)]


def uncached_files() -> list[Path]:
    """The files among the stages' outputs that Git keeps instead of DVC's cache.

    Raises:
        InputError: as `plan`.
    """
    with _opened() as repo:
        outputs = [out for stage in repo.index.stages for out in stage.outs if not out.use_cache]
        return [path for path in (Path(out.fs_path) for out in outputs) if not path.is_dir()]


def order_lock() -> None:
    """Bring the stages in dvc.lock into the order in which plain `dvc repro` writes them.

    DVC appends a stage when it ends, so that stages side by side would shuffle the file from run to
    run. Stages of the last commit keep their places; new ones follow in the pipeline's order.
    """
    from dvc.utils.serialize import dumps_yaml, loads_yaml

    with _opened() as repo:
        if not LOCK.is_file():
            return
        content = loads_yaml(LOCK.read_text(encoding="utf-8"), typ="rt")
        stages = content.get("stages") or {}
        planned = (stage.addressing for stage in _planned(repo, ())[1])
        wanted = dict.fromkeys([*_committed(), *planned, *stages])
        ordered = [name for name in wanted if name in stages]
        if ordered == list(stages):
            return
        content["stages"] = {name: stages[name] for name in ordered}
        write_bytes(LOCK, dumps_yaml(content).encode())


def _committed() -> list[str]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's: five times as fast
    content = yaml.load(git("show", f"HEAD:./{LOCK}") or "", loader)  # noqa: S506 - a safe loader
    return list(content.get("stages") or {}) if isinstance(content, Mapping) else []


def _planned(repo: "Repo", targets: Sequence[str]) -> "tuple[Any, list[Stage]]":
    """DVC's graph, and the stages that `dvc repro TARGETS` would consider, in its order."""
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    graph = get_active_graph(repo.index.graph)
    return graph, plan_repro(graph, collect_stages(repo, list(targets) or ["dvc.yaml"]))


@contextmanager
def _opened() -> Iterator["Repo"]:
    """The project, locked against other DVC commands; waits for them."""
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo

    logging.getLogger("dvc").setLevel(logging.WARNING)  # else it lists what it skips
    try:
        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            yield repo
    except LockError as error:
        reason = "is used by another command: " + " ".join(str(error).split())
        raise InputError(".dvc", reason, "wait until it has ended") from error
    except DvcException as error:
        reason = " ".join(" ".join(_causes(error)).split())
        raise InputError("dvc.yaml", reason, "see `dvc status`") from error


def _causes(error: BaseException) -> Iterator[str]:
    yield str(error)
    if error.__cause__:
        yield from _causes(error.__cause__)
