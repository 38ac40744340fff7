"""Stage: a model and a prepared data set -> the data set's fused images."""

from collections import defaultdict
from collections.abc import Sequence

from fusion.core.errors import InputError, list_names
from fusion.core.processes import join_group
from fusion.images.prepared import PreparedSet
from fusion.images.stacked import stack_pairs
from fusion.inference.cost import time_pair
from fusion.inference.fuse import fuse_pairs
from fusion.inference.precomputed import adopt_images
from fusion.methods.base import FusionMethod
from fusion.methods.files import load_model
from pipelines import params
from pipelines.costs import FuseCost, fuse_cost_file
from pipelines.paths import FUSED, MODELS, PREPARED
from pipelines.rows import EarlyFusion, Precomputed


def main(method: str, dataset: str) -> None:
    """Fuse every split of DATASET that the leaderboard needs with METHOD."""
    settings = params.load()
    row, splits = settings.row(method), settings.dataset(dataset).fuse
    if isinstance(row, Precomputed):
        _adopt(row, dataset, splits, settings.fusion.stretch)
        FuseCost().save(fuse_cost_file(method, dataset))
        return
    if isinstance(row, EarlyFusion):
        _stack(method, dataset, splits)
        FuseCost().save(fuse_cost_file(method, dataset))
        return
    group = join_group(settings.runtime)
    network = load_model(MODELS / method)
    prepared = PreparedSet.load(PREPARED / dataset)
    for split in splits:
        fuse_pairs(
            network,
            group.share(prepared.pairs(split)),
            FUSED / f"{method}-{dataset}" / split,
            stretched=settings.fusion.stretch,
            batch_size=settings.fusion.batch_size,
            runtime=settings.runtime,
        )
    group.gather(None)  # the stage ends when the last image is there
    if not group.rank:
        _timed(network, settings).save(fuse_cost_file(method, dataset))


def _timed(network: FusionMethod, settings: params.Params) -> FuseCost:
    try:
        timing = time_pair(network, stretched=settings.fusion.stretch, runtime=settings.runtime)
    except InputError:  # an ONNX file of one size only
        return FuseCost()
    return FuseCost(precision=settings.runtime.precision, **timing._asdict())


def _stack(method: str, dataset: str, splits: Sequence[str]) -> None:
    """Put both images into one file, for detectors and segmentation networks."""
    prepared = PreparedSet.load(PREPARED / dataset)
    for split in splits:
        stack_pairs(prepared.pairs(split), FUSED / f"{method}-{dataset}" / split)


def _adopt(row: Precomputed, dataset: str, splits: Sequence[str], stretch: bool) -> None:
    """Convert precomputed images; write an empty folder for a data set without images."""
    output = FUSED / f"{row.name}-{dataset}"
    output.mkdir(parents=True, exist_ok=True)
    folder = row.folder(dataset)
    if folder is None:
        return
    prepared = PreparedSet.load(PREPARED / dataset)
    notes: defaultdict[str, set[str]] = defaultdict(set)
    for split in splits:
        adopt_images(
            folder,
            split,
            prepared.pairs(split),
            output / split,
            stretched=stretch,
            on_note=lambda path, note: notes[note].add(path.name),
        )
    for note, names in notes.items():
        print(f"note: {folder}: {note}: {list_names(names, 3)}")
