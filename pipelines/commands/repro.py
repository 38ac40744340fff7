"""`pomai repro`: `dvc repro` with several stages at a time, on several GPUs or a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fusion.core.errors import InputError

if TYPE_CHECKING:
    from pipelines.runner.schedule import Outcome

Jobs = Annotated[
    int | None,
    typer.Option(
        min=1, help="Stages at the same time; default: one a GPU and one more, or half the cores."
    ),
]
Gpus = Annotated[
    str | None,
    typer.Option(help="GPU ids, 0,1, or none; default: all. 0,0 lets two stages share GPU 0."),
]
Slurm = Annotated[
    str | None,
    typer.Option(
        help="Submit stages to SLURM with these options: partition=gpu,gpus_per_node=1,"
        "timeout_min=240."
    ),
]


def repro(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages, as for `dvc repro`; default: all.")
    ] = None,
    jobs: Jobs = None,
    gpus: Gpus = None,
    slurm: Slurm = None,
    pull: Annotated[
        bool, typer.Option(help="Restore what other machines have pushed to the DVC remote.")
    ] = False,
    set_param: Annotated[
        list[str] | None,
        typer.Option("--set-param", "-S", help="Compose params.yaml with KEY=VALUE; repeatable."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Save the result as this experiment.")
    ] = None,
) -> None:
    """Run what is not up to date, several stages at a time.

    With -S or -n, the result is saved as an experiment, as `dvc exp run` does in the workspace.
    """
    from pipelines.runner import experiments
    from pipelines.runner.repro import Places, advice, reproduce
    from pipelines.runner.stages import gpu_counts

    if not Path("dvc.yaml").is_file():
        raise InputError("dvc.yaml", "is missing", "run from the project's root folder")
    wanted, saves = targets or [], bool(set_param) or name is not None
    if saves:
        experiments.require_free(name)
    if set_param:
        from pipelines.compose import compose

        compose(Path("params.yaml"), set_param)
    places = Places(jobs, gpus, slurm, gpu_counts(), pull)
    if line := advice(places):
        typer.echo(f"note: {line}", err=True)
    outcome = reproduce(wanted, places)
    report(outcome)
    if saves:
        saved = experiments.save(name, outcome.planned if wanted else ())
        typer.echo(f"saved as experiment {saved}")


def report(outcome: "Outcome") -> None:
    """Print what became of the stages.

    Raises:
        InputError: a stage failed; the message names each with its exit status and its log.
    """
    from fusion.core.errors import list_names
    from pipelines.runner.workers import log_of

    typer.echo(f"{len(outcome.ran)} stages ran, {len(outcome.current)} were up to date")
    if not outcome.failed:
        return
    for stage, status in outcome.failed.items():
        typer.echo(f"{stage} failed with exit status {status}: see {log_of(stage)}", err=True)
    if outcome.blocked:
        typer.echo(f"not run, because they depend on it: {list_names(outcome.blocked)}", err=True)
    reason = f"{len(outcome.failed)} of its stages failed: {list_names(outcome.failed)}"
    remedy = "correct them, and give the same command again: finished stages are kept"
    raise InputError("dvc.yaml", reason, remedy)
