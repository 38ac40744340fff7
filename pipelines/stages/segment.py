"""Stage: fused images and labels -> a segmentation network, tested."""

from pathlib import Path

from fusion.core.locks import exclusive
from pipelines import params
from pipelines.entry import run
from pipelines.paths import FUSED, PICTURES, PLOTS, PREPARED, RUNS
from pipelines.plots import plot_classes, thousandths
from pipelines.scores.base import score_folder
from pipelines.scores.segmentation import SegmentationScores
from pipelines.seeds import Log, repeat
from segmentation.experiment import SegmentationResult, train_and_test
from segmentation.labels import CLASSES


def main(method: str, dataset: str) -> None:
    """Train and test the segmentation network on METHOD's images of DATASET, once per seed."""
    settings = params.load()
    with exclusive(score_folder("segment", method, dataset, RUNS)):
        _segment(settings, method, dataset)


def _segment(settings: params.Params, method: str, dataset: str) -> None:
    config, fused = settings.segmentation, FUSED / f"{method}-{dataset}"
    plots, pictures, runs = (
        score_folder("segment", method, dataset, root) for root in (PLOTS, PICTURES, RUNS)
    )

    def once(seed: int, drawn: Path | None, log: Log | None) -> SegmentationResult:
        work, labels = runs / f"seed-{seed}", PREPARED / dataset
        return train_and_test(
            fused, labels, work, config, seed, settings.runtime, pictures=drawn, log=log
        )

    results = repeat(config.seeds, plots, pictures, once)
    precision = results[0].protocol["precision"]
    conditions = f"{config.architecture} ({config.encoder}), precision `{precision}`"
    scores = SegmentationScores.of(results, conditions)
    scores.save(score_folder("segment", method, dataset))
    shown = results[0]
    counts = thousandths(shown.per_image.sum(0))
    plot_classes(plots, shown.test.iou, "iou", counts, CLASSES)


if __name__ == "__main__":
    run(main)
