"""`pomai data`: the known data sets, fetching them, and checking copies of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.download import RAW
from pipelines.entry import new_app

if TYPE_CHECKING:
    from pipelines.datasets.config import DatasetConfig
    from pipelines.download.registry import KnownSet

app = new_app(
    name="data",
    help="Official data sets by name: list them, get them, check copies of them.",
    no_args_is_help=True,
)

_Into = Annotated[Path, typer.Option(help="Folder of all official data.")]


@app.command("list")
def list_(
    names: Annotated[list[str] | None, typer.Argument(help="Data sets; all by default.")] = None,
) -> None:
    """Print what is known of the data sets: content, terms, citation, and origin."""
    from pipelines.download.registry import known_set, known_sets

    print("\n\n".join(_described(name, known_set(name)) for name in names or known_sets()))


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="Name of the data set; see `pomai data list`.")],
    into: _Into = RAW,
    accept: Annotated[
        bool, typer.Option(help="Take what arrives although its checksum differs, and record it.")
    ] = False,
) -> None:
    """Fetch a data set, verify it and unpack it to INTO."""
    from pipelines.download.get import Outcome
    from pipelines.download.get import get as get_set
    from pipelines.download.registry import known_set

    known = known_set(name)
    print(_described(name, known), flush=True)
    place, outcome = get_set(name, known, into, accept=accept)
    print(f"{place}: {outcome}")
    if outcome in (Outcome.RECORDED, Outcome.FETCHED):
        print(f"{into / name}.lock records what arrived; later copies must agree with it")
    for profile in known.profiles[:1]:
        print(_use(profile, into))


@app.command()
def check(
    target: Annotated[
        str, typer.Argument(help="Folder of a known data set, or a name in params.yaml.")
    ],
    set_: Annotated[
        str | None, typer.Option("--set", help="The data set it should be; by default found out.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Contact sheet to write; <name>-sheet.png by default.")
    ] = None,
    pictures: Annotated[int, typer.Option(help="Pairs on the contact sheet.", min=1)] = 12,
) -> None:
    """Check that a data set is complete, count its classes, and draw a contact sheet."""
    from fusion.images.decode import write_image
    from pipelines.datasets.overview import overview

    name, config = _checked(target, set_)
    if config is None:
        return
    found, picture = overview(config, pictures)
    place = sheet or Path(f"{name}-sheet.png")
    write_image(place, picture)
    print(f"{found}\ncontact sheet: {place}")


def _checked(target: str, known_as: str | None) -> "tuple[str, DatasetConfig | None]":
    """The name and settings of a data set that is complete; no settings if no layout reads it."""
    from pydantic import TypeAdapter

    from fusion.core.errors import InputError
    from pipelines.datasets.config import DatasetConfig
    from pipelines.download.registry import known_set, known_sets
    from pipelines.download.verify import recognize, require_complete

    folder = Path(target)
    if not folder.is_dir():
        from pipelines import params

        if Path("params.yaml").is_file():
            return target, params.load().dataset(target)
        raise InputError(folder, "is not a folder", "give the folder of a data set")
    name = known_as or recognize(folder, known_sets())
    known = known_set(name)
    require_complete(name, known, folder)
    print(f"{folder}: a complete {name}, {known.layout()}", flush=True)
    if known.dataset is None:
        return name, None
    settings = {**known.dataset, "source": str(folder)}
    return name, TypeAdapter[DatasetConfig](DatasetConfig).validate_python(settings)


def _use(profile: str, into: Path) -> str:
    """How to run a profile on the data below `into`, and what is still missing for it."""
    from pipelines.download.registry import sets_of

    missing = [
        name for name, known in sets_of(profile).items() if not (into / known.folder).is_dir()
    ]
    other = "" if into == RAW else f" --into {into}"
    lines = [f"profile {profile} needs {len(missing)} more:"] if missing else []
    lines += [f"  uv run pomai data get {name}{other}" for name in missing]
    where = f"FUSION_DATA={into.absolute()} " if other else ""
    return "\n".join([*lines, f"use it: {where}uv run dvc exp run -S profile={profile}"])


def _described(name: str, known: "KnownSet") -> str:
    from pipelines.download.registry import ManualOrigin

    origin = known.origin
    by_hand = f"by hand: {origin.how}" if isinstance(origin, ManualOrigin) else None
    facts = {
        "pairs": known.pairs,
        "labels": known.labels,
        "size": known.size,
        "terms": known.terms,
        "cite": known.citation,
        "page": known.page,
        **({"mirror": known.mirror} if known.mirror else {}),
        "fetched": by_hand or f"from {known.address()}",
        "checksum": _checksum(known),
        "profile": ", ".join(known.profiles) or "none",
    }
    return "\n".join([f"{name}: {known.title}", *(f"  {k:9}{v}" for k, v in facts.items())])


def _checksum(known: "KnownSet") -> str:
    """What decides whether the data set that arrives is the right one."""
    from pipelines.download.registry import GitOrigin, ManualOrigin

    if isinstance(known.origin, GitOrigin) and known.origin.commit:
        return f"git:{known.origin.commit}"
    checksum = None if isinstance(known.origin, GitOrigin | ManualOrigin) else known.origin.checksum
    return checksum or "none published: the first fetch records one, and later fetches must agree"
