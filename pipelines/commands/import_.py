"""`pomai import`: published weights as a folder that this project's commands take."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.new_folder import new_folder, require_new


def import_(
    method: Annotated[str, typer.Argument(help="The method that the weights are of.")],
    files: Annotated[list[str], typer.Argument(help="The authors' files; or PART=FILE of each.")],
    out: Annotated[Path, typer.Option(help="New folder.")],
    license_text: Annotated[
        str, typer.Option("--license", help="The license that the authors state.")
    ] = "not stated",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE: a setting of the method that no file tells."),
    ] = None,
) -> None:
    """Turn the weights that a method's authors published into a model folder.

    A file is .safetensors, or a state dict that torch saved (.pth, .pt, .model, .ckpt). No code in
    it can run. Every entry is checked by name and shape. The folder is what --weights, fusion.load
    and `source` in params.yaml take.
    """
    require_new(out)

    from fusion.inference.importing import import_published
    from fusion.methods.files import load_model, save_model

    imported = import_published(method, files, license_text, settings or [])
    with new_folder(out) as made:
        save_model(made, method, imported.method, imported.facts)
        load_model(made)
    parameters = sum(parameter.numel() for parameter in imported.method.parameters())
    variant = imported.facts["variant"]
    named = f"{method} ({variant})" if variant else method
    print(f"{out}: {named}, {parameters:,} parameters, license: {license_text}")
