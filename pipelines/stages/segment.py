"""Stage: fused images and labels -> a segmentation network, tested."""

import json
from contextlib import nullcontext
from statistics import fmean, stdev

import numpy as np

from fusion.core.locks import exclusive
from fusion.core.protocol import of_repeats
from pipelines import params
from pipelines.entry import run
from pipelines.paths import FUSED, PICTURES, PLOTS, PREPARED, RUNS, SCORES
from pipelines.plots import class_table, confusion_table, empty, live_curves
from segmentation.experiment import SegmentationResult, train_and_test
from segmentation.labels import CLASSES


def main(method: str, dataset: str) -> None:
    """Train and test the segmentation network on METHOD's images of DATASET, once a seed."""
    settings = params.load()
    key = f"segment-{method}-{dataset}"
    with exclusive(RUNS / key):
        _segment(settings, key, method, dataset)


def _segment(settings: params.Params, key: str, method: str, dataset: str) -> None:
    results: list[SegmentationResult] = []
    for seed in settings.segmentation.seeds:
        first = not results  # its curves and pictures stand for the others'
        with live_curves(PLOTS / key) if first else nullcontext() as log:
            results.append(
                train_and_test(
                    FUSED / f"{method}-{dataset}",
                    PREPARED / dataset,
                    RUNS / key / f"seed-{seed}",
                    settings.segmentation,
                    seed,
                    settings.runtime,
                    pictures=PICTURES / key if first else None,
                    log=log,
                )
            )
    network = f"{settings.segmentation.architecture} ({settings.segmentation.encoder})"
    precision = results[0].protocol["precision"]
    scores = summary(results) | {"conditions": f"{network}, precision `{precision}`"}
    (PLOTS / key).mkdir(parents=True, exist_ok=True)
    empty(SCORES / key)  # files of seeds that are no longer asked for would be read as results
    (SCORES / key / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    for result in results:
        result.save_per_image(SCORES / key / f"per-image-{result.seed}.npz")
    shown = results[0]
    class_table(shown.test.iou, "iou").to_csv(PLOTS / key / "classes.csv", index=False)
    total = shown.per_image.sum(0)
    thousandths = np.rint(1000 * total / total.sum(1, keepdims=True).clip(1)).astype(int)
    confusion_table(thousandths, CLASSES).to_csv(PLOTS / key / "confusion.csv", index=False)


def summary(results: list[SegmentationResult]) -> dict[str, object]:
    """Means over seeds, spread where there are several, and every seed's own numbers."""
    values = [result.test.miou for result in results if result.test.miou is not None]
    return {
        "miou": fmean(values),
        "miou_sd": stdev(values) if len(values) > 1 else None,
        "seeds": {result.seed: result.summary() for result in results},
        **of_repeats([result.protocol for result in results]),
    }


if __name__ == "__main__":
    run(main)
