"""`pomai align`: the pairs of a rig of two cameras become pairs of one size."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fusion.core.errors import InputError, own_words
from pipelines.commands.options import Accelerator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fusion.alignment.grid import Size
    from fusion.alignment.points import PointFit
    from fusion.alignment.rig import Rig
    from fusion.alignment.transforms import Matrix
    from fusion.alignment.warp import Area
    from fusion.images.pairs import Pair

MOST = 60
"""Pairs from which a transform is estimated; more are spread over the set."""

FILE = "rig.json"

Range = tuple[float, float] | None


def align(
    ir: Annotated[Path, typer.Option(help="Folder of infrared images, all of one size.")],
    vi: Annotated[Path, typer.Option(help="Folder of visible images, all of one size.")],
    out: Annotated[Path, typer.Option(help="New folder: ir, vi and rig.json.")],
    matrix: Annotated[
        Path | None, typer.Option(help="rig.json that this command wrote for the same cameras.")
    ] = None,
    points: Annotated[
        Path | None, typer.Option(help="CSV of control points: vi_x,vi_y,ir_x,ir_y.")
    ] = None,
    matcher: Annotated[
        str | None, typer.Option(help="Matcher of the package vismatch (extra `match`).")
    ] = None,
    grid: Annotated[
        Literal["visible", "infrared"],
        typer.Option(help="Whose pixels are kept; the other image is resampled."),
    ] = "visible",
    ir_range: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Infrared of more than 8 bits: values of black and white."),
    ] = None,
    accelerator: Accelerator = "auto",
) -> None:
    """Align the images of two fixed cameras, and crop them to what both show.

    Without --matrix, --points or --matcher, the transform is estimated from all pairs together. It
    is used only if it improves pairs that it was not estimated from.
    """
    from fusion.alignment.views import rig_sizes
    from fusion.images.pairs import find_pairs
    from pipelines.commands.new_folder import new_folder, require_new

    given = {"--matrix": matrix, "--points": points, "--matcher": matcher}
    if len(chosen := [name for name, value in given.items() if value is not None]) > 1:
        raise InputError(" and ".join(chosen), "exclude each other", "give one of them")
    require_new(out)
    pairs = find_pairs(ir, vi)
    visible, infrared = rig_sizes(pairs)
    if matrix:
        rig = _given(matrix, visible, infrared)
    elif points:
        rig = _from_points(points, visible, infrared)
    else:
        rig = _estimated(pairs, visible, infrared, ir_range, matcher, accelerator)
    area = _area(rig, grid, ir)
    with new_folder(out) as folder:
        _write(rig, pairs, folder, grid, area, ir_range)
    size = f"{area.width}x{area.height}"
    print(f"{len(pairs)} pairs of {size} written to {out}, the transform to {out / FILE}")
    _note_shift(out)


def _given(path: Path, visible: "Size", infrared: "Size") -> "Rig":
    from fusion.alignment.rig import Rig

    rig = Rig.load(path)
    for name, stated, found in (
        ("visible", rig.visible, visible),
        ("infrared", rig.infrared, infrared),
    ):
        if stated != found:
            shown = [f"{width}x{height}" for height, width in (stated, found)]
            reason = f"is for {name} images of {shown[0]}, and these are {shown[1]}"
            raise InputError(path, reason, "estimate the transform of these images")
    return rig


def _from_points(path: Path, visible: "Size", infrared: "Size") -> "Rig":
    from fusion.alignment.control_points import read_points
    from fusion.alignment.points import NotDeterminedError, select_transform

    try:
        found = select_transform(*read_points(path))
    except NotDeterminedError as error:
        raise InputError(path, f"determines no transform: {error}", "add points") from error
    _print_errors(found)
    return _rig(found.matrix, visible, infrared, f"{found.kind} of {path.name}", path)


def _print_errors(found: "PointFit") -> None:
    from rich.table import Table

    from pipelines.commands.terminal import console

    title = f"{found.kind}, distances in infrared pixels"
    table = Table("point", "residual", "left out", title=title, title_justify="left")
    for number, values in enumerate(zip(found.residuals, found.left_out, strict=True), start=1):
        table.add_row(str(number), *(f"{value:.2f}" for value in values))
    squares = [float((values**2).mean() ** 0.5) for values in (found.residuals, found.left_out)]
    table.add_row("root mean square", *(f"{value:.2f}" for value in squares))
    console().print(table)


def _estimated(
    pairs: "Sequence[Pair]",
    visible: "Size",
    infrared: "Size",
    ir_range: Range,
    matcher: str | None,
    accelerator: Literal["auto", "cpu", "cuda"],
) -> "Rig":
    from fusion.alignment.estimate import FEWEST, Find, estimate, find_jointly
    from fusion.alignment.matcher import load_matcher, match_views
    from fusion.alignment.views import full_size, read_views
    from fusion.core.config import RuntimeConfig
    from fusion.core.runtime import pick_device
    from fusion.images.panels import spread

    if len(pairs) < FEWEST:
        reason = f"has too few pairs ({len(pairs)}) to estimate a transform and to check it"
        remedy = f"give {FEWEST} or more, or --points or --matrix"
        raise InputError(pairs[0].infrared.parent, reason, remedy)
    find: Find = find_jointly
    if matcher:
        device = str(pick_device(RuntimeConfig(accelerator=accelerator)))
        find = partial(match_views, matcher=load_matcher(matcher, device))
    views = read_views(spread(pairs, MOST), ir_range)
    found = estimate(views, find)
    print(found)
    if found.verdict == "refused":
        reason = f"no transform was found that held-out pairs support: {found}"
        remedy = "give control points (--points), or more pairs with structure, for example by day"
        raise InputError(pairs[0].infrared.parent, reason, remedy)
    if found.verdict == "resized" and visible == infrared:
        reason = f"the pairs seem to be aligned already: {found}"
        raise InputError(pairs[0].infrared.parent, reason, "use them as they are")
    used = found.matrix if found.verdict == "improved" else found.start
    full = full_size(used, views[0], visible, infrared)
    how = f"{matcher or 'gradient orientation'}, {len(views)} pairs: {found.verdict}"
    return _rig(full, visible, infrared, how, pairs[0].infrared.parent)


def _rig(matrix: "Matrix", visible: "Size", infrared: "Size", source: str, path: Path) -> "Rig":
    from pydantic import ValidationError

    from fusion.alignment.rig import Rig

    rows = tuple(tuple(row) for row in matrix.tolist())
    values = {"matrix": rows, "visible": visible, "infrared": infrared, "source": source}
    try:
        return Rig.model_validate(values)
    except ValidationError as error:
        message = own_words(error.errors()[0]["msg"])
        raise InputError(path, f"gives a transform of no use ({message})", "check it") from error


def _area(rig: "Rig", grid: Literal["visible", "infrared"], path: Path) -> "Area":
    try:
        return rig.area(grid)
    except ValueError as error:  # of the infrared grid only: a rig has an area on the visible one
        raise InputError(path, str(error), "use --grid visible") from error


def _write(
    rig: "Rig",
    pairs: "Sequence[Pair]",
    folder: Path,
    grid: Literal["visible", "infrared"],
    area: "Area",
    ir_range: Range,
) -> None:
    from fusion.images.decode import read_infrared, read_visible, write_image
    from pipelines.commands.terminal import progress

    for kind in ("ir", "vi"):
        (folder / kind).mkdir(parents=True)
    rig.save(folder / FILE)
    with progress("pairs") as bars:
        for pair in bars.track(pairs):
            infrared = read_infrared(pair.infrared, ir_range).pixels
            aligned = rig.apply(infrared, read_visible(pair.visible).pixels, grid, area)
            for kind, image in zip(("ir", "vi"), aligned, strict=True):
                write_image(folder / kind / f"{pair.name}.png", image)


def _note_shift(out: Path) -> None:
    from fusion.alignment.survey import survey
    from fusion.images.pairs import find_pairs

    if shift := survey(find_pairs(out / "ir", out / "vi")):
        print(f"note: after this, {shift}")
