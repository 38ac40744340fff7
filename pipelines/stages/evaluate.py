"""Stage: fused test images -> fusion metrics, per image and in total."""

from pipelines import params
from pipelines.paths import FUSED, PREPARED
from pipelines.scores.base import score_folder
from pipelines.scores.fusion import FusionScores


def main(method: str, dataset: str) -> None:
    """Measure METHOD's fused test images of DATASET."""
    from fusion.core.processes import join_group
    from fusion.core.runtime import pick_device
    from fusion.images.prepared import PreparedSet
    from fusion.metrics.folders import evaluate_pairs

    settings = params.load()
    output = score_folder("evaluate", method, dataset)
    output.mkdir(parents=True, exist_ok=True)
    if not settings.has_images(method, dataset):
        return
    group = join_group(settings.runtime)
    prepared = PreparedSet.load(PREPARED / dataset)
    frame = evaluate_pairs(
        prepared.pairs("test"),
        FUSED / f"{method}-{dataset}" / "test",
        names=settings.evaluation.metrics,
        device=pick_device(settings.runtime),
        group=group,
    )
    if not group.rank:
        FusionScores.of(frame, settings.fusion.stretch, prepared.selection).save(output)
