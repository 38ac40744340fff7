"""Stage: a source of image pairs -> the layout that all later stages read."""

from pipelines import params
from pipelines.datasets.prepare import prepare
from pipelines.paths import PREPARED, TRAINING_PAIRS


def main(dataset: str) -> None:
    """Check DATASET completely, split it and write it."""
    settings = params.load()
    report = prepare(
        dataset,
        settings.dataset(dataset),
        PREPARED / dataset,
        TRAINING_PAIRS / dataset,
        train_fusion=dataset in settings.train_on,
    )
    print(report)
