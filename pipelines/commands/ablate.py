"""`pomai ablate`: the paper's ablations (Table 2) as DVC experiments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fusion.core.errors import InputError
from pipelines.commands.repro import Gpus, Jobs, Slurm, report

if TYPE_CHECKING:
    import pandas as pd

FUSION_ONLY = ("method=[pomai]", "detect_on=[]", "segment_on=[]")


def ablate(
    presets: Annotated[
        str | None, typer.Option(help="Ablations, separated by commas; default: all of Table 2.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Further override, profile=tiny; repeatable.")
    ] = None,
    jobs: Jobs = None,
    gpus: Gpus = None,
    slurm: Slurm = None,
    downstream: Annotated[
        bool, typer.Option(help="Detect and segment as well, with all methods.")
    ] = False,
    table_only: Annotated[bool, typer.Option(help="Print finished runs, start none.")] = False,
) -> None:
    """Run the ablations of PoMAI with DVC and print SD, SF, AG and VIF.

    Experiments that finished before (same commit, same overrides) are kept, not run again. They
    run one after another in the workspace, which gets its own parameters and outputs back.
    """
    from pipelines.ablations import experiment_names, finished, measured, table
    from pipelines.runner import experiments, workspace

    if not Path("dvc.yaml").is_file():
        raise InputError("dvc.yaml", "is missing", "run from the project's root folder")
    overrides = _overrides(override or [], downstream)
    runs = experiment_names(_presets(presets), _seeds(seeds), overrides)
    experiments.require_free(None)
    missing = {key: name for key, name in runs.items() if not experiments.is_saved(name)}
    if missing and not table_only:
        with workspace.kept():
            _run(missing, overrides, jobs, gpus, slurm)
    shown = experiments.of_commit()
    values = measured(shown, runs)
    remedy = "give the command without --table-only" if table_only else "see the messages above"
    if values.empty:
        reason = "no experiment of these overrides has finished"
        raise InputError("dvc exp show", reason, remedy)
    _print(table(values))
    if absent := [name for name in runs.values() if name not in finished(shown)]:
        raise InputError("dvc exp show", f"not in the table: {', '.join(absent)}", remedy)


def _run(
    runs: Mapping[tuple[str, int], str],
    overrides: Sequence[str],
    jobs: int | None,
    gpus: str | None,
    slurm: str | None,
) -> None:
    """Run and save each experiment; one that fails does not stop the others."""
    from pipelines.compose import compose
    from pipelines.runner import experiments
    from pipelines.runner.repro import Places, reproduce
    from pipelines.runner.stages import gpu_counts

    for place, ((preset, seed), name) in enumerate(runs.items(), start=1):
        typer.echo(f"experiment {place} of {len(runs)}: {name}", err=True)
        compose(Path("params.yaml"), [f"ablation={preset}", f"seed={seed}", *overrides])
        try:
            report(reproduce([], Places(jobs, gpus, slurm, gpu_counts())))
            experiments.save(name)
        except InputError as error:
            typer.echo(f"{name} is not saved: {error}", err=True)


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


def _print(shown: "pd.DataFrame") -> None:
    from rich.table import Table

    from pipelines.commands.terminal import console

    drawn = Table("ablation", *shown.columns)
    for preset, cells in shown.iterrows():
        drawn.add_row(str(preset), *cells)
    console(max(80, 20 + 18 * len(shown.columns))).print(drawn)
