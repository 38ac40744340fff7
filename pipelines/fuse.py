"""Stage: a model and a prepared data set -> the data set's fused images."""

from pipelines import params
from pipelines.datasets.canonical import prepared_pairs
from pipelines.stage import FUSED, MODELS, PREPARED, run


def main(method: str, dataset: str) -> None:
    """Fuse every split of DATASET that the leaderboard needs with METHOD."""
    from fusion.fuse import fuse_pairs
    from fusion.weights import load_model

    settings = params.load()
    network = load_model(MODELS / method)
    for split in settings.datasets[dataset].fuse:
        fuse_pairs(
            network,
            prepared_pairs(PREPARED / dataset, split),
            FUSED / f"{method}-{dataset}" / split,
            stretched=settings.fusion.stretch,
            batch_size=settings.fusion.batch_size,
            runtime=settings.runtime,
        )


if __name__ == "__main__":
    run(main)
