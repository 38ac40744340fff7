"""Stage: fused images and boxes -> a detector, tested."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from detection.experiment import BEST, DetectionResult, train_and_test
from detection.matches import RECALLS
from detection.workspace import build_workspace
from fusion.core.locks import exclusive
from pipelines import params
from pipelines.entry import run
from pipelines.paths import FUSED, PICTURES, PLOTS, PREPARED, RUNS, SCORES, WEIGHTS, empty
from pipelines.plots import plot_classes, write_curves
from pipelines.scores.base import score_folder
from pipelines.scores.detection import DetectionScores
from pipelines.seeds import Log, repeat


def main(method: str, dataset: str) -> None:
    """Train and test the detector on METHOD's images of DATASET, once per seed."""
    settings = params.load()
    with exclusive(score_folder("detect", method, dataset, RUNS)):
        _detect(settings, method, dataset)


def _detect(settings: params.Params, method: str, dataset: str) -> None:
    scores, plots, pictures, runs, weights = (
        score_folder("detect", method, dataset, root)
        for root in (SCORES, PLOTS, PICTURES, RUNS, WEIGHTS)
    )
    workspace = build_workspace(FUSED / f"{method}-{dataset}", PREPARED / dataset, runs / "data")

    def once(seed: int, drawn: Path | None, log: Log | None) -> DetectionResult:
        work, config = _run(runs, seed), settings.detection
        return train_and_test(
            workspace, work, config, seed, settings.runtime, pictures=drawn, log=log
        )

    results = repeat(settings.detection.seeds, plots, pictures, once)
    split, precision = workspace.split_protocol, results[0].protocol["precision"]
    conditions = f"{settings.detection.model}, split `{split}`, precision `{precision}`"
    DetectionScores.of(results, conditions).save(scores)
    save_weights(runs, settings.detection.seeds, weights)
    shown = results[0]
    curves = pd.DataFrame({"recall": RECALLS, **shown.precision})
    write_curves(plots / "precision_recall", curves, "recall")
    counts, names = shown.confusion.T.astype(int), [*workspace.classes, "background"]
    plot_classes(plots, shown.ap50, "average_precision", counts, names)


def save_weights(runs: Path, seeds: Sequence[int], folder: Path) -> None:
    """The tested weights of every seed as `<folder>/seed-<seed>.pt`."""
    empty(folder)
    for seed in seeds:
        shutil.copyfile(_run(runs, seed) / BEST, folder / f"seed-{seed}.pt")


def _run(runs: Path, seed: int) -> Path:
    return runs / f"seed-{seed}"


if __name__ == "__main__":
    run(main)
