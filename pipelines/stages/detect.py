"""Stage: fused images and boxes -> a detector, tested."""

import shutil
from functools import partial
from pathlib import Path

import pandas as pd

from detection.experiment import BEST, train_and_test
from detection.matches import RECALLS
from detection.workspace import build_workspace
from fusion.core.locks import exclusive
from pipelines import params
from pipelines.paths import FUSED, PICTURES, PLOTS, PREPARED, RUNS, SCORES, WEIGHTS
from pipelines.plots import live_curves, plot_classes, write_curves
from pipelines.scores.base import score_folder
from pipelines.scores.detection import DetectionScores


def main(method: str, dataset: str, seed: int) -> None:
    """Train and test a detector on METHOD's images of DATASET, from SEED."""
    settings = params.load()
    with exclusive(score_folder("detect", method, dataset, RUNS, seed)):
        _detect(settings, method, dataset, seed)


def _detect(settings: params.Params, method: str, dataset: str, seed: int) -> None:
    folder = partial(score_folder, "detect", method, dataset, seed=seed)
    config, plots, work = settings.detection, folder(root=PLOTS), folder(root=RUNS)
    workspace = build_workspace(FUSED / f"{method}-{dataset}", PREPARED / dataset, work / "data")
    with live_curves(plots) as log:
        result = train_and_test(
            workspace,
            work,
            config,
            seed,
            settings.runtime,
            pictures=folder(root=PICTURES),
            log=log,
        )
    split, precision = workspace.split_protocol, result.protocol["precision"]
    conditions = f"{config.model}, split `{split}`, precision `{precision}`"
    if config.weights:
        conditions = f"{conditions}, started from `{Path(config.weights).name}`"
    DetectionScores.of(result, conditions).save(folder(root=SCORES))
    WEIGHTS.mkdir(exist_ok=True)
    shutil.copyfile(work / BEST, folder(root=WEIGHTS).with_suffix(".pt"))
    curves = pd.DataFrame({"recall": RECALLS, **result.precision})
    write_curves(plots / "precision_recall", curves, "recall")
    counts, names = result.confusion.T.astype(int), [*workspace.classes, "background"]
    plot_classes(plots, result.ap50, "average_precision", counts, names)
