"""Stage: a model and the training pairs -> fused images that other methods learn from."""

from fusion.core.processes import join_group
from fusion.images.pairs import find_pairs
from fusion.images.prepared import training_sets
from fusion.inference.fuse import fuse_pairs
from fusion.methods.files import load_model
from pipelines import params
from pipelines.paths import MODELS, TEACHERS, TRAINING_PAIRS


def main(method: str) -> None:
    """Fuse all training pairs with METHOD, never stretched."""
    settings = params.load()
    group = join_group(settings.runtime)
    network = load_model(MODELS / method)
    for folder in training_sets(TRAINING_PAIRS, settings.train_on):
        fuse_pairs(
            network,
            group.share(find_pairs(folder / "ir", folder / "vi")),
            TEACHERS / method / folder.name,
            stretched=False,
            batch_size=settings.fusion.batch_size,
            runtime=settings.runtime,
        )
    group.gather(None)  # the stage ends when the last image is there
