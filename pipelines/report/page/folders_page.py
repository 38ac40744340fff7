"""The page of any folders of fused images, without a pipeline."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from fusion.core.errors import InputError, list_names
from fusion.images.pairs import find_images, find_pairs
from fusion.metrics.folders import evaluate_pairs
from pipelines.report.board import Board
from pipelines.report.notes import conditions
from pipelines.report.page.figures import figures
from pipelines.report.page.gallery import Source, build_gallery
from pipelines.report.page.images import ImageStore
from pipelines.report.page.render import Content, Facts, PageFolder
from pipelines.report.page.standings import standings
from pipelines.report.tables import assess
from pipelines.scores.fusion import FusionScores


def write_comparison(
    infrared: Path,
    visible: Path,
    fused: Mapping[str, Path],
    output: Path,
    *,
    title: str,
    metrics: Sequence[str],
    images: int | None = None,
    device: torch.device | None = None,
    infrared_range: tuple[float, float] | None = None,
    on_pairs: Callable[[str, int, int], None] = lambda *_: None,
    on_note: Callable[[Path, str], None] = lambda *_: None,
) -> None:
    """Measure fused images and show them on a page.

    Args:
        infrared, visible: the pairs; files are matched by stem.
        fused: name -> folder of the images that a method fused.
        output: folder of the page; an earlier page there is replaced.
        title: of the page, also the name of the set of images.
        metrics: names of fusion metrics.
        images: how many images the page shows at most; None for all. All are measured.
        device: where to compute; the CPU by default.
        infrared_range: values of infrared of more than 8 bits that are black and white, measured
            and shown.
        on_pairs: called with a name, the number of pairs measured, and of all.
        on_note: as for `fusion.metrics.folders.evaluate_pairs`.

    Raises:
        InputError: images are missing, damaged or differ in size from their pair, or `output` holds
            something else.
    """
    page = PageFolder(output)
    pairs = find_pairs(infrared, visible)
    files = {name: find_images(folder) for name, folder in fused.items()}
    for name, found in files.items():
        if missing := [pair.name for pair in pairs if pair.name not in found]:
            reason = f"lacks {len(missing)} of {len(pairs)} images: {list_names(missing)}"
            raise InputError(fused[name], reason, "add them, or leave their pairs out")
    scores = {}
    for name, folder in fused.items():
        progress = partial(on_pairs, name)
        frame = evaluate_pairs(
            pairs,
            folder,
            metrics,
            device=device,
            infrared_range=infrared_range,
            on_pairs=progress,
            on_note=on_note,
        )
        scores[name] = FusionScores.of(frame, stretch=False)
    results = assess(Board(list(fused), {title: scores}))
    values = {name: measured.images for name, measured in scores.items()}
    source = Source(title, pairs, files, values, infrared_range=infrared_range)
    with page:
        store = ImageStore(page.path)
        page.write(
            Content(
                title=title,
                subtitle=f"{len(fused)} sets of fused images compared on {len(pairs)} pairs.",
                standings=standings(results, ()),
                galleries=[build_gallery(source, store, images)],
                figures=figures(results),
                facts=Facts(notes=conditions(results.board)),
            )
        )
