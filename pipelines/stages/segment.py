"""Stage: fused images and labels -> a segmentation network, tested."""

from functools import partial
from pathlib import Path

from fusion.core.locks import exclusive
from pipelines import params
from pipelines.paths import FUSED, PICTURES, PLOTS, PREPARED, RUNS, SCORES
from pipelines.plots import live_curves, plot_classes, thousandths
from pipelines.scores.base import score_folder
from pipelines.scores.segmentation import SegmentationScores
from segmentation.experiment import train_and_test


def main(method: str, dataset: str, seed: int) -> None:
    """Train and test a segmentation network on METHOD's images of DATASET, from SEED."""
    settings = params.load()
    with exclusive(score_folder("segment", method, dataset, RUNS, seed)):
        _segment(settings, method, dataset, seed)


def _segment(settings: params.Params, method: str, dataset: str, seed: int) -> None:
    folder = partial(score_folder, "segment", method, dataset, seed=seed)
    config, plots = settings.segmentation, folder(root=PLOTS)
    with live_curves(plots) as log:
        result = train_and_test(
            FUSED / f"{method}-{dataset}",
            PREPARED / dataset,
            folder(root=RUNS),
            config,
            seed,
            settings.runtime,
            pictures=folder(root=PICTURES),
            log=log,
        )
    precision = result.protocol["precision"]
    conditions = f"{config.architecture} ({config.encoder}), precision `{precision}`"
    if config.encoder_weights:
        conditions = f"{conditions}, encoder from `{Path(config.encoder_weights).name}`"
    conditions = f"{conditions}, {result.classes.in_words()}"
    SegmentationScores.of(result, conditions).save(folder(root=SCORES))
    counts = thousandths(result.per_image.sum(0))
    plot_classes(plots, result.test.iou, "iou", counts, result.classes.names)
