"""`pomai prepare`: any source of pairs into the project's layout, without params.yaml."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def prepare(
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    layout: Annotated[
        Literal["msrs", "masks", "m3fd", "boxes", "pairs"], typer.Option(help="How it is laid out.")
    ],
    source: Annotated[Path, typer.Option(help="Folder it lies in.")],
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="train=FOLDER, val=FOLDER or test=FOLDER below SOURCE; repeatable. Also gives"
            " what {split} stands for in the names of folders."
        ),
    ] = None,
    infrared: Annotated[
        str | None,
        typer.Option(help="Name of the infrared folder; infrared/{split} where splits lie below."),
    ] = None,
    visible: Annotated[str | None, typer.Option(help="Name of the visible folder.")] = None,
    labels: Annotated[str | None, typer.Option(help="Name of the folder of labels.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="boxes, m3fd: names, comma-separated, as YOLO text numbers them. masks: names in"
            " the order of their indices, or msrs, mfnet or fmb."
        ),
    ] = None,
    ignore: Annotated[int | None, typer.Option(help="masks: value of unlabeled pixels.")] = None,
    background: Annotated[
        bool, typer.Option(help="masks: whether class 0 counts in the mean IoU.")
    ] = True,
    pair_list: Annotated[
        list[str] | None,
        typer.Option("--list", help="SPLIT=FILE with the names of its pairs; repeatable."),
    ] = None,
    protocol: Annotated[
        Literal["random", "blocks", "grouped"] | None,
        typer.Option(help="m3fd, boxes: how train, val and test are drawn."),
    ] = None,
    fractions: Annotated[
        tuple[float, float, float] | None, typer.Option(help="m3fd, boxes: of train, val, test.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="m3fd, boxes: draws the split.")] = None,
    block: Annotated[int | None, typer.Option(help="m3fd, boxes: frames in a block.")] = None,
    infrared_range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--infrared-range",
            "--ir-range",
            help="Values of deep infrared files that become 0 and 255.",
        ),
    ] = None,
    train_fusion: Annotated[bool, typer.Option(help="Train fusion networks on it.")] = False,
    output: Annotated[Path, typer.Option(help="Root of all prepared data.")] = Path("data"),
) -> None:
    """Check a data set completely and write it to OUTPUT/prepared/NAME."""
    from pydantic import TypeAdapter, ValidationError

    from fusion.core.errors import InputError
    from fusion.core.names import require_name
    from pipelines.datasets.config import DatasetConfig
    from pipelines.datasets.prepare import prepare as prepare_dataset
    from pipelines.validation import problems

    require_name("NAME", name)
    given = {
        "splits": _folders(split, "--split") if split else None,
        "infrared": infrared,
        "visible": visible,
        "labels": labels,
        "classes": _classes(layout, classes) if classes else None,
        "ignore": ignore,
        "background": None if background else False,
        "lists": _folders(pair_list, "--list") if pair_list else None,
        "split": protocol,
        "fractions": fractions,
        "seed": seed,
        "block": block,
        "infrared_range": infrared_range,
    }
    settings = {key: value for key, value in given.items() if value is not None}
    values = {"layout": layout, "source": str(source), **settings}
    try:
        config = TypeAdapter[DatasetConfig](DatasetConfig).validate_python(values)
    except ValidationError as error:
        raise InputError(source, problems(error, kind_at=0), "correct these options") from error
    folders = output / "prepared" / name, output / "train" / name
    report = prepare_dataset(name, config, *folders, train_fusion=train_fusion)
    print(report)


def _classes(layout: str, given: str) -> str | list[str]:
    """A named list of classes (layout masks), or the names themselves."""
    names = [name.strip() for name in given.split(",")]
    return names[0] if layout == "masks" and len(names) == 1 else names


def _folders(options: list[str], option: str) -> dict[str, str]:
    from fusion.core.errors import InputError

    pairs = [given.partition("=") for given in options]
    if wrong := [given for given, pair in zip(options, pairs, strict=True) if not pair[2]]:
        what = "FOLDER" if option == "--split" else "FILE"
        remedy = f"write {option} test=dev"
        raise InputError(option, f"'{wrong[0]}' is not SPLIT={what}", remedy)
    return {split: place for split, _, place in pairs}
