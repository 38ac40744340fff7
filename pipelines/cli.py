"""The `pomai` command."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.ablate import ablate
from pipelines.commands.align import align
from pipelines.commands.analyze import analyze
from pipelines.commands.compare import compare
from pipelines.commands.data import app as data
from pipelines.commands.evaluate import evaluate
from pipelines.commands.export import export
from pipelines.commands.fuse import fuse
from pipelines.commands.import_ import import_
from pipelines.commands.prepare import prepare
from pipelines.commands.publish import publish
from pipelines.commands.repro import repro
from pipelines.commands.show import show
from pipelines.entry import guard, new_app

app = new_app(
    name="pomai",
    help="Infrared-visible image fusion: train, fuse, detect, segment, compare.",
    no_args_is_help=True,
)
app.command()(ablate)
app.command()(align)
app.command()(analyze)
app.command("analyse", hidden=True)(analyze)  # the British spelling works too
app.command()(compare)
app.add_typer(data)
app.command()(evaluate)
app.command()(export)
app.command()(fuse)
app.command("import")(import_)
app.command()(prepare)
app.command()(publish)
app.command()(repro)
app.command()(show)


@app.command()
def params(
    overrides: Annotated[list[str] | None, typer.Argument(help="profile=paper seed=1 …")] = None,
    output: Annotated[Path, typer.Option(help="File to write.")] = Path("params.yaml"),
) -> None:
    """Compose params.yaml from conf/ without running anything."""
    from pipelines.compose import compose

    compose(output, overrides or [])


@app.command()
def check() -> None:
    """Validate params.yaml, and look for everything that it names."""
    from pipelines import params as parameters
    from pipelines.preflight import inspect

    settings = parameters.load()
    notes = inspect(settings)
    print(f"params.yaml is valid: {', '.join(settings.methods)} on {', '.join(settings.fuse_on)}")
    for note in notes:
        print(f"note: {note}")


def main() -> None:
    """Entry point of the `pomai` command."""
    guard(app)


if __name__ == "__main__":
    main()
