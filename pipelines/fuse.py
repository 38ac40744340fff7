"""Stage: a model and a prepared data set -> the data set's fused images."""

from pipelines import params
from pipelines.datasets.canonical import prepared_pairs
from pipelines.stage import FUSED, MODELS, PREPARED, run


def main(method: str, dataset: str) -> None:
    """Fuse every split of DATASET that the leaderboard needs with METHOD."""
    from fusion.fuse import fuse_pairs
    from fusion.group import join_group
    from fusion.weights import load_model

    settings = params.load()
    group = join_group(settings.runtime)
    network = load_model(MODELS / method)
    for split in settings.datasets[dataset].fuse:
        fuse_pairs(
            network,
            group.share(prepared_pairs(PREPARED / dataset, split)),
            FUSED / f"{method}-{dataset}" / split,
            stretched=settings.fusion.stretch,
            batch_size=settings.fusion.batch_size,
            runtime=settings.runtime,
        )
    group.gather(None)  # the stage ends when the last image is there


if __name__ == "__main__":
    run(main)
