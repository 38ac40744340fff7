"""Stage: a model and a prepared data set -> the data set's fused images."""

from fusion.core.processes import join_group
from fusion.images.prepared import PreparedSet
from fusion.inference.fuse import fuse_pairs
from fusion.inference.precomputed import PRECOMPUTED, adopt_images
from fusion.methods.files import load_model
from pipelines import params
from pipelines.entry import run
from pipelines.paths import FUSED, MODELS, PREPARED


def main(method: str, dataset: str) -> None:
    """Fuse every split of DATASET that the leaderboard needs with METHOD."""
    settings = params.load()
    if settings.kind(method) == PRECOMPUTED:
        _adopt(settings, method, dataset)
        return
    group = join_group(settings.runtime)
    network = load_model(MODELS / method)
    prepared = PreparedSet.load(PREPARED / dataset)
    for split in settings.datasets[dataset].fuse:
        fuse_pairs(
            network,
            group.share(prepared.pairs(split)),
            FUSED / f"{method}-{dataset}" / split,
            stretched=settings.fusion.stretch,
            batch_size=settings.fusion.batch_size,
            runtime=settings.runtime,
        )
    group.gather(None)  # the stage ends when the last image is there


def _adopt(settings: params.Params, method: str, dataset: str) -> None:
    """Take over precomputed images; an empty folder for a data set that the row does not have."""
    output = FUSED / f"{method}-{dataset}"
    output.mkdir(parents=True, exist_ok=True)
    folder = settings.precomputed_folder(method, dataset)
    if folder is None:
        return
    prepared = PreparedSet.load(PREPARED / dataset)
    for split in settings.datasets[dataset].fuse:
        pairs = prepared.pairs(split)
        adopt_images(folder, split, pairs, output / split, stretched=settings.fusion.stretch)


if __name__ == "__main__":
    run(main)
