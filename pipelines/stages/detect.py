"""Stage: fused images and boxes -> a detector, tested."""

import json
import shutil
from contextlib import nullcontext
from statistics import fmean, stdev

import pandas as pd

from detection.experiment import BEST, DetectionResult, train_and_test
from detection.matches import RECALLS
from detection.workspace import build_workspace
from fusion.core.protocol import of_repeats
from fusion.images.prepared import PreparedSet
from pipelines import params
from pipelines.entry import run
from pipelines.paths import FUSED, PICTURES, PLOTS, PREPARED, RUNS, SCORES, WEIGHTS
from pipelines.plots import class_table, confusion_table, empty, live_curves, write_curves


def main(method: str, dataset: str) -> None:
    """Train and test the detector on METHOD's images of DATASET, once a seed."""
    settings = params.load()
    key = f"detect-{method}-{dataset}"
    workspace = build_workspace(
        FUSED / f"{method}-{dataset}", PREPARED / dataset, RUNS / key / "data"
    )
    results: list[DetectionResult] = []
    for seed in settings.detection.seeds:
        first = not results  # its curves and pictures stand for the others'
        with live_curves(PLOTS / key) if first else nullcontext() as log:
            results.append(
                train_and_test(
                    workspace,
                    RUNS / key / f"seed-{seed}",
                    settings.detection,
                    seed,
                    settings.runtime,
                    pictures=PICTURES / key if first else None,
                    log=log,
                )
            )
    prepared = PreparedSet.load(PREPARED / dataset)
    precision = results[0].protocol["precision"]
    split = prepared.split_protocol
    conditions = f"{settings.detection.model}, split `{split}`, precision `{precision}`"
    scores = summary(results) | {"conditions": conditions}
    (PLOTS / key).mkdir(parents=True, exist_ok=True)
    for folder in (SCORES / key, WEIGHTS / key):
        empty(folder)  # files of seeds that are no longer asked for would be read as results
    (SCORES / key / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    for result in results:
        best = RUNS / key / f"seed-{result.seed}" / BEST
        shutil.copyfile(best, WEIGHTS / key / f"seed-{result.seed}.pt")
        result.matches.save(SCORES / key / f"matches-{result.seed}.npz")
    shown = results[0]
    curves = pd.DataFrame({"recall": RECALLS, **shown.precision})
    write_curves(PLOTS / key / "precision_recall", curves, "recall")
    bars = class_table(shown.ap50, "average_precision")
    bars.to_csv(PLOTS / key / "classes.csv", index=False)
    names = [*(prepared.classes or ()), "background"]
    confusion = confusion_table(shown.confusion.T.astype(int), names)
    confusion.to_csv(PLOTS / key / "confusion.csv", index=False)


def summary(results: list[DetectionResult]) -> dict[str, object]:
    """Means over seeds, spread where there are several, and every seed's own numbers."""
    several = len(results) > 1
    return {
        "map50": fmean(result.map50 for result in results),
        "map50_95": fmean(result.map50_95 for result in results),
        "map50_sd": stdev(result.map50 for result in results) if several else None,
        "map50_95_sd": stdev(result.map50_95 for result in results) if several else None,
        "seeds": {result.seed: result.summary() for result in results},
        **of_repeats([result.protocol for result in results]),
    }


if __name__ == "__main__":
    run(main)
