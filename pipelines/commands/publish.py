"""`pomai publish`: writes a trained network, its card and its scores as one folder."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion.core.errors import InputError, list_names
from pipelines.commands.new_folder import new_folder, require_new

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

    from pipelines.params import Params


def publish(
    method: Annotated[str, typer.Argument(help="A trained row of the leaderboard.")],
    folder: Annotated[Path, typer.Argument(help="New folder.")],
) -> None:
    """Write a trained network and its card: data, training, commit, scores.

    The folder is what `--weights`, `fusion.load` and model hubs take; README.md shows the card.
    Everything that the card states must be up to date.
    """
    from fusion.core.files import write_bytes
    from fusion.inference.model_card import render_card
    from fusion.methods.files import copy_model, load_model, save_card
    from pipelines import params
    from pipelines.paths import MODELS

    settings = params.load()
    _check_trained(settings, method)
    require_new(folder)
    card = describe(settings, method)
    with new_folder(folder) as made:
        copy_model(MODELS / method, made)
        write_bytes(made / "README.md", render_card(folder.name, card).encode())
        save_card(made, card.pop("method"), card)
        load_model(made)
    scored = ", ".join(card["metrics"]) or "nothing"
    print(f"{folder}: {method}, {card['parameters']:,} parameters, measured on {scored}")


def describe(settings: "Params", method: str) -> dict[str, Any]:
    """The card of a row's network, completed by commit and scores.

    Returns:
        The card in `models/<method>`, with `before` (the cards of the training phases before the
        last), `commit` and `uncommitted` (see `revision`), `metrics` (data set → quantity → value,
        as in the leaderboard) and `conditions` (how they were measured).

    Raises:
        InputError: a fact of the card is missing or out of date.
    """
    from fusion.methods.files import read_card
    from pipelines.paths import MODELS
    from pipelines.report.board import read_board
    from pipelines.report.leaderboard import leaderboard
    from pipelines.report.notes import conditions

    repository = _repository()
    _check_up_to_date(repository, settings, method)
    board = read_board(
        [method],
        settings.fuse_on,
        settings.detect_on,
        settings.segment_on,
        settings.detect_seeds,
        settings.segment_seeds,
    )
    return {
        **read_card(MODELS / method),
        "before": [read_card(MODELS / key) for key in _phases(settings, method)[:-1]],
        **revision(repository),
        "metrics": leaderboard(board).to_metrics().get(method, {}),
        "conditions": conditions(board),
    }


def revision(repository: "Repo") -> dict[str, Any]:
    """`commit`: what is checked out, None without Git; `uncommitted`: files that differ from it.

    The commit is recorded here, not during training: a commit in a stage's output would make all
    later stages run again after every commit.
    """
    from scmrepo.git import Git

    if not isinstance(repository.scm, Git):
        return {"commit": None, "uncommitted": []}
    staged, unstaged, untracked = repository.scm.status()
    changed = {*(name for names in staged.values() for name in names), *unstaged, *untracked}
    return {"commit": repository.scm.get_rev(), "uncommitted": sorted(map(str, changed))}


def _check_trained(settings: "Params", method: str) -> None:
    trained = [name for name, row in settings.methods.items() if row.phases]
    if method not in trained:
        known = ", ".join(trained) or "(none)"
        raise InputError(method, "is not a row that is trained here", f"choose from {known}")


def _phases(settings: "Params", method: str) -> list[str]:
    """The training phases that led to a row's weights, in order."""
    from pipelines.paths import MODELS

    phases: list[str] = []
    folder = Path(settings.methods[method].source)
    while folder.parent == MODELS:
        phases.insert(0, folder.name)
        folder = Path(settings.training[folder.name].after)
    return phases


def _repository() -> "Repo":
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        return Repo()
    except NotDvcRepoError as error:
        raise InputError("dvc.yaml", "is missing", "run from the project's root folder") from error


def _check_up_to_date(repository: "Repo", settings: "Params", method: str) -> None:
    """Check that code, weights and scores are up to date with each other."""
    from dvc.exceptions import DvcException
    from dvc.repo import lock_repo

    targets = {f"model@{method}", *settings.measuring_stages(method)}
    try:
        with lock_repo(repository):
            stages = _stages(repository, targets)
            changed = [stage.addressing for stage in stages if stage.status(check_updates=True)]
    except DvcException as error:
        raise InputError("dvc status", str(error), "correct this first") from error
    if changed:
        raise InputError(method, f"is not up to date: {list_names(changed)}", "run `dvc repro`")


def _stages(repository: "Repo", names: Collection[str]) -> "list[Stage]":
    """Stages with all that they depend on, each once.

    DVC would read dvc.lock again for every name that it is given: a second each if it is large.
    """
    from dvc.repo.reproduce import plan_repro

    graph = repository.index.graph
    named = [stage for stage in graph if stage.addressing in names]
    if missing := {*names} - {stage.addressing for stage in named}:
        raise InputError("dvc.yaml", f"has no stage {list_names(missing)}", "run `dvc repro`")
    stages: list[Stage] = plan_repro(graph, named)
    return stages
