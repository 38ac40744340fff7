"""`pomai ablate`: the paper's ablations (Table 2) as queued DVC experiments."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

WORKERLESS_SECONDS = 120.0
"""Choice: a worker takes seconds to start, and answers late on a busy machine."""

WORKER_LOGS = ".dvc/tmp/exps/celery/*.out"

FUSION_ONLY = ("method=[pomai]", "detect_on=[]", "segment_on=[]")


def ablate(
    presets: Annotated[
        str | None, typer.Option(help="Ablations, separated by commas; default: all of Table 2.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Further override, profile=tiny; repeatable.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Experiments at the same time.")] = 1,
    downstream: Annotated[
        bool, typer.Option(help="Detect and segment as well, with all methods.")
    ] = False,
    table_only: Annotated[bool, typer.Option(help="Print finished runs, start none.")] = False,
) -> None:
    """Run the ablations of PoMAI with DVC and print SD, SF, AG and VIF.

    Experiments that finished before (same commit, same overrides) are kept, not run again.
    """
    from pipelines.ablations import experiment_names, measured, states, table

    if not Path("dvc.yaml").is_file():
        raise InputError("dvc.yaml", "is missing", "run from the project's root folder")
    overrides = _overrides(override or [], downstream)
    runs = experiment_names(_presets(presets), _seeds(seeds), overrides)
    commit = _output("git", "rev-parse", "HEAD").strip()
    shown = _show(commit)
    if not table_only:
        finished = {name for name, state in states(shown).items() if state != "failed"}
        _require_possible(overrides)
        for (preset, seed), name in runs.items():
            if name not in finished:
                _queue(name, [f"ablation={preset}", f"seed={seed}", *overrides])
        _dvc("queue", "start", "--jobs", str(jobs))
        shown = _wait(commit, list(runs.values()))
    values = measured(shown, runs)
    if values.empty:
        reason, remedy = "no experiment of these overrides has finished", _remedy(table_only)
        raise InputError("dvc exp show", reason, remedy)
    _print(table(values))
    now = states(shown)
    if missing := [name for name in runs.values() if now.get(name) != "finished"]:
        listed = ", ".join(f"{name} ({now.get(name, 'not run')})" for name in missing)
        raise InputError("dvc queue", f"not in the table: {listed}", _remedy(table_only))


def _require_possible(overrides: Sequence[str]) -> None:
    """Check what the experiments would find out one by one, in the log of a worker."""
    from pipelines import params
    from pipelines.compose import compose
    from pipelines.sources import require_everywhere, require_sources

    with TemporaryDirectory() as folder:
        composed = Path(folder) / "params.yaml"
        compose(composed, overrides)
        settings = params.load(composed)
    require_sources(settings)
    require_everywhere(settings)


def _remedy(table_only: bool) -> str:
    logs = "see why with `dvc queue logs NAME`"
    return f"run without --table-only, or {logs}" if table_only else logs


def _presets(given: str | None) -> list[str]:
    from pipelines.ablations import PRESETS

    names = given.split(",") if given else list(PRESETS)
    if unknown := [name for name in names if name not in PRESETS]:
        known = ", ".join(PRESETS)
        raise InputError("--presets", f"{', '.join(unknown)} unknown", f"choose from {known}")
    return names


def _seeds(given: str) -> list[int]:
    try:
        return [int(seed) for seed in given.split(",")]
    except ValueError as error:
        raise InputError("--seeds", f"'{given}' are not numbers", "write --seeds 0,1,2") from error


def _overrides(given: Sequence[str], downstream: bool) -> list[str]:
    """Combine overrides; given ones replace the defaults of the same key."""
    if wrong := [override for override in given if "=" not in override]:
        raise InputError("--set", f"'{wrong[0]}' is not KEY=VALUE", "write --set profile=tiny")
    keys = {override.partition("=")[0] for override in given}
    if reserved := keys & {"ablation", "seed"}:
        raise InputError("--set", f"{', '.join(reserved)} is varied", "use --presets or --seeds")
    defaults = () if downstream else FUSION_ONLY
    return [*(item for item in defaults if item.partition("=")[0] not in keys), *given]


def _queue(name: str, overrides: Sequence[str]) -> None:
    settings = [item for override in overrides for item in ("--set-param", override)]
    _dvc("exp", "run", "--queue", "--name", name, *settings)


def _wait(commit: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Wait until no experiment is queued; poll less often in longer runs."""
    from rich.console import Console

    from pipelines.ablations import living_workers, states

    began = alive = time.monotonic()
    with Console(stderr=True).status("experiments") as status:
        while True:
            shown = _show(commit)
            now = states(shown)
            waiting = [name for name in names if now.get(name) == "waiting"]
            if not waiting:
                return shown
            queue = _dvc("queue", "status")
            if living_workers(queue):
                alive = time.monotonic()
            elif time.monotonic() - alive > WORKERLESS_SECONDS:
                raise _abandoned(queue, waiting)
            status.update(f"experiments: {len(names) - len(waiting)} of {len(names)} done")
            time.sleep(min(30.0, 2 + (time.monotonic() - began) / 20))


def _abandoned(queue: str, waiting: Sequence[str]) -> InputError:
    """The error for queued experiments without a worker."""
    from pipelines.ablations import begun

    reason = f"has no worker, and {len(waiting)} experiments wait: {', '.join(waiting)}"
    remedy = f"see {WORKER_LOGS} for why, then give the same command again: it starts a worker"
    if lost := [name for name in begun(queue) if name in waiting]:
        first = f"`dvc queue kill {' '.join(lost)}` until `dvc queue status` calls them failed"
        remedy = f"{first}; {remedy}"
    return InputError("dvc queue", reason, remedy)


def _show(commit: str, attempts: int = 5) -> list[dict[str, Any]]:
    """Experiments of the commit that was checked out at the start.

    DVC fails if a worker removes an experiment's folder while DVC reads it, so this is retried.
    """
    try:
        printed = _dvc("exp", "show", "--rev", commit, "--json")
    except InputError:
        if attempts == 1:
            raise
        time.sleep(2)
        return _show(commit, attempts - 1)
    shown: list[dict[str, Any]] = json.loads(printed)
    return shown


def _dvc(*arguments: str) -> str:
    return _output(sys.executable, "-m", "dvc", *arguments)


def _output(*command: str) -> str:
    # files, not pipes: DVC's worker keeps them open for as long as it works
    with TemporaryFile("w+") as printed, TemporaryFile("w+") as problems:
        code = subprocess.run(command, stdout=printed, stderr=problems, check=False).returncode
        printed.seek(0)
        problems.seek(0)
        if code:
            reason = " ".join(problems.read().split()) or f"ended with code {code}"
            raise InputError(" ".join(command), reason, "correct this first")
        return printed.read()


def _print(shown: "pd.DataFrame") -> None:
    from rich.table import Table

    from pipelines.commands.terminal import console

    drawn = Table("ablation", *shown.columns)
    for preset, cells in shown.iterrows():
        drawn.add_row(str(preset), *cells)
    console(max(80, 20 + 18 * len(shown.columns))).print(drawn)
