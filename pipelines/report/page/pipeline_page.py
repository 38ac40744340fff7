"""The page of a pipeline's results."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from fusion.images.prepared import PreparedSet
from pipelines.git import git
from pipelines.params import Params
from pipelines.paths import FUSED, PAGE, PLOTS, PREPARED
from pipelines.report.board import Board
from pipelines.report.notes import notes
from pipelines.report.page.curves import Confusion, Curve, task_figures
from pipelines.report.page.figures import figures
from pipelines.report.page.gallery import Boxes, LabelMaps, Source, build_gallery
from pipelines.report.page.images import ImageStore
from pipelines.report.page.render import Content, Facts, PageFolder
from pipelines.report.page.standings import standings
from pipelines.report.tables import Results
from pipelines.scores.base import score_folder
from segmentation.prepared import classes_of

_LIBRARIES = ("pomai", "torch", "torchmetrics", "ultralytics", "segmentation-models-pytorch")
_MACHINE = {"accelerator", "devices", "num_nodes", "device_cache", "checkpoint_seconds"}
"""Settings of `runtime` that no stage runs again for."""


def write_page(settings: Params, results: Results, folder: Path = PAGE) -> None:
    """Write the page with its images; an earlier one is replaced.

    Args:
        settings: all parameters.
        results: everything that was measured.
        folder: of the page.

    Raises:
        InputError: an image, a label or a data set is missing or damaged.
    """
    prepared = {name: PreparedSet.load(PREPARED / name) for name in settings.fuse_on}
    others = [name for name in settings.train_on if name not in prepared]
    known = prepared | {name: PreparedSet.load(PREPARED / name) for name in others}
    with PageFolder(folder) as page:
        store = ImageStore(page.path)
        count = settings.report.page.images
        sources = [_source(results.board, prepared[name]) for name in settings.fuse_on]
        page.write(
            Content(
                title="Infrared-visible image fusion",
                subtitle=_subtitle(settings, prepared),
                standings=standings(results, settings.trivial()),
                galleries=[build_gallery(source, store, count) for source in sources],
                figures=[
                    *figures(results),
                    *task_figures(results.board, list(_curves(settings)), _confusions(results)),
                ],
                tables=_tables(results),
                facts=_facts(settings, results.board, known),
            )
        )


def _subtitle(settings: Params, prepared: Mapping[str, PreparedSet]) -> str:
    images = ", ".join(f"{len(p.names('test'))} of {name}" for name, p in prepared.items())
    return (
        f"{len(settings.methods)} methods compared on the same test images ({images}): fusion "
        "metrics, detection and segmentation on the fused images, and what each method costs."
    )


def _source(board: Board, prepared: PreparedSet) -> Source:
    name = prepared.name
    stems = prepared.names("test")
    measured = board.fusion[name]
    detected, labeled = board.detection.get(name, {}), board.segmentation.get(name, {})
    truth = {stem: prepared.label("test", stem) for stem in stems} if detected or labeled else {}
    boxes = labels = None
    if detected:
        first = {method: next(iter(runs.values())).matches for method, runs in detected.items()}
        boxes = Boxes(prepared.classes or [], truth, first, _which_run("Detections", detected))
    if labeled:
        predicted = {m: next(iter(runs.values())).predicted for m, runs in labeled.items()}
        which = _which_run("Labels", labeled)
        labels = LabelMaps(truth, predicted, classes_of(prepared), which)
    return Source(
        name=name,
        pairs=prepared.pairs("test"),
        fused={
            method: {stem: FUSED / f"{method}-{name}" / "test" / f"{stem}.png" for stem in stems}
            for method in measured
        },
        values={method: scores.images for method, scores in measured.items()},
        night=prepared.night or (),
        boxes=boxes,
        labels=labels,
    )


def _which_run(drawn: str, rows: Mapping[str, Mapping[int, object]]) -> str:
    """What is drawn is that of the first seed; nothing to say where there is no other."""
    seeds = list(next(iter(rows.values())))
    return f"{drawn} of training seed {seeds[0]}, one of {len(seeds)}." if len(seeds) > 1 else ""


def _curves(settings: Params) -> Iterator[Curve]:
    for key in settings.training:
        path = PLOTS / f"train-{key}" / "plots" / "metrics" / "loss.tsv"
        if path.is_file():  # a phase of no epochs has none
            yield Curve(key, pd.read_csv(path, sep="\t"))


def _confusions(results: Results) -> list[Confusion]:
    """Of every row, the counts of all training seeds together."""
    found = []
    for dataset, rows in results.board.detection.items():
        names = [*(PreparedSet.load(PREPARED / dataset).classes or []), "background"]
        for method, runs in rows.items():
            counts = sum(_detections_by_class(method, dataset, seed, names) for seed in runs)
            found.append(Confusion(f"{method}, detection on {dataset}", names, np.asarray(counts)))
    for dataset, labeled in results.board.segmentation.items():
        names = PreparedSet.load(PREPARED / dataset).classes or []
        for method, by_seed in labeled.items():
            counts = sum(run.confusions.matrices.sum(0) for run in by_seed.values())
            title = f"{method}, segmentation on {dataset}"
            found.append(Confusion(title, names, np.asarray(counts)))
    return found


def _detections_by_class(
    method: str, dataset: str, seed: int, names: list[str]
) -> NDArray[np.int64]:
    path = score_folder("detect", method, dataset, PLOTS, seed) / "confusion.csv"
    counted = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = pd.crosstab(counted["actual"], counted["predicted"])
    return table.reindex(index=names, columns=names, fill_value=0).to_numpy()


def _tables(results: Results) -> list[tuple[str, pd.DataFrame]]:
    named = (
        ("The best of each metric against the other methods", _against_best(results)),
        ("Gains over the visible image", results.gains),
        ("Day and night, every class", results.parts),
        ("Agreement of metrics with tasks", results.ranks),
    )
    return [(title, table) for title, table in named if not table.empty]


def _against_best(results: Results) -> pd.DataFrame:
    """The tests behind ≈; those of all pairs would be most of a page of many methods."""
    tests = results.tests
    best = [results.table.best(c) for c in zip(tests["dataset"], tests["metric"], strict=True)]
    return tests[(tests["first"] == best) | (tests["second"] == best)]


def _facts(settings: Params, board: Board, prepared: Mapping[str, PreparedSet]) -> Facts:
    summary = [*_commit(), ("Python", platform.python_version())]
    summary += [(name, found) for name in _LIBRARIES if (found := _version(name))]
    rows = [
        {
            "data set": name,
            "used to": " and ".join(_uses(settings, name)),
            "layout": data.layout,
            "split": data.split_protocol,
            **{split: len(data.names(split)) for split in ("train", "val", "test")},
            "at night (test)": _night(data),
            "license": settings.dataset(name).license or "not stated",
            "checksum of the split": data.checksum[:16],
        }
        for name, data in prepared.items()
    ]
    return Facts(
        summary=summary,
        datasets=pd.DataFrame(rows),
        notes=notes(board, settings.precomputed(), settings.unfused()),
        settings=printed_settings(),
    )


def printed_settings(params: Path = Path("params.yaml")) -> str:
    """Everything in params.yaml but the machine's settings; dvc.yaml lists them for this stage.

    A page with others would count as up to date after they have changed.
    """
    content = yaml.safe_load(params.read_text(encoding="utf-8"))
    runtime = {key: value for key, value in content["runtime"].items() if key not in _MACHINE}
    printed = {**content, "runtime": runtime}
    return yaml.safe_dump(printed, sort_keys=False, allow_unicode=True)


def _uses(settings: Params, dataset: str) -> Iterator[str]:
    if dataset in settings.train_on:
        yield "train"
    if dataset in settings.fuse_on:
        yield "test"


def _night(data: PreparedSet) -> str:
    return "unknown" if data.night is None else str(len({*data.night} & {*data.names("test")}))


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _commit() -> list[tuple[str, str]]:
    """The commit that the pipeline ran at, and its date; nothing outside a Git repository."""
    found = git("log", "-1", "--format=%H%n%cs")
    labels = ("commit", "date of the commit")
    return [] if found is None else list(zip(labels, found.split(), strict=True))
