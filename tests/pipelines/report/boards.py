"""Scores made by hand, for a board."""

from dataclasses import replace

import numpy as np
import pandas as pd

from detection.matches import Matches
from fusion.metrics.summary import FusionSummary, MetricSummary
from pipelines.report.board import Board
from pipelines.report.significance import agreement
from pipelines.report.tables import assess
from pipelines.scores.detection import DetectionPart, DetectionScores
from pipelines.scores.fusion import FusionScores
from pipelines.scores.segmentation import (
    ImageConfusions,
    SegmentationPart,
    SegmentationScores,
)


def fusion(values, stretching=None, stretch=False, images=3, ranges=200.0):
    """`values`: metric -> its mean, or one value an image."""
    columns = {
        name: value for name, value in values.items() if isinstance(value, (list, pd.Series))
    }
    count = max([len(column) for column in columns.values()], default=images)
    frame = pd.DataFrame({"name": [f"{i:02}" for i in range(count)], **columns})
    for name in values.keys() - columns:
        frame[name] = np.nan if values[name] is None else values[name]
    means = {name: frame[name].mean() for name in values}
    summary = FusionSummary(
        protocol="cddfuse",
        images=count,
        metrics={
            name: MetricSummary(
                mean=None if np.isnan(mean) else float(mean), low=None, high=None, undefined=0
            )
            for name, mean in means.items()
        },
        stretching=stretching or {},
    )
    return FusionScores(summary=summary, stretch=stretch, images=frame.assign(range=ranges))


def part(mean, by_class, amounts, images):
    return DetectionPart(map50=mean, ap50=by_class, objects=amounts, images=images)


def detection(*runs, precision="p"):
    """Training seed -> scores. `runs`: for each seed, what differs from a usual run."""
    usual = {"map50": 0.5, "map50_95": 0.25, "ap50": {}, "ap50_95": {}, "objects": {}}
    usual |= {"day": None, "night": None, "best_epoch": 1, "conditions": "d"}
    usual["matches"] = random_matches(0)
    return {
        seed: DetectionScores(
            **{**usual, **run, "seed": seed, "protocol": {"precision": precision, "seed": seed}}
        )
        for seed, run in enumerate(runs or [{}])
    }


def labeled(miou, by_class=None, pixels=None, images=2):
    return SegmentationPart(
        miou=miou,
        iou=by_class or {},
        absent=[],
        pixel_accuracy=None,
        pixels=pixels or {},
        images=images,
    )


def segmentation(*runs, precision="q"):
    """Training seed -> scores. `runs`: for each seed, what differs from a usual run."""
    usual = {"test": labeled(0.5), "day": None, "night": None, "best_epoch": 1, "conditions": "s"}
    usual["confusions"] = confusions(0, 0.5)
    return {
        seed: SegmentationScores(
            **{**usual, **run, "seed": seed, "protocol": {"precision": precision, "seed": seed}}
        )
        for seed, run in enumerate(runs or [{}])
    }


def results(table, board=None):
    """The tables of a leaderboard that was made by hand."""
    board = board or Board(list(table.rows))
    return replace(assess(board), table=table, ranks=agreement(table))


def two_rows():
    """Rows average and pomai, all tasks on one set with two seeds, VIF undefined."""
    values = {"average": 1.0, "pomai": 2.0}
    return Board(
        list(values),
        {
            "msrs": {
                name: fusion(
                    {"SD": [10 * value + i - 4 for i in range(9)], "VIF": None},
                    stretching={"SD": value / 10},
                )
                for name, value in values.items()
            }
        },
        {
            "msrs": {
                name: detection(
                    *(
                        {"map50": value / 4, "map50_95": value / 8 + shift}
                        for shift in (-0.024, 0.024)
                    )
                )
                for name, value in values.items()
            }
        },
        {
            "msrs": {
                name: segmentation(
                    *({"test": labeled(value / 5 + shift)} for shift in (-0.012, 0.012))
                )
                for name, value in values.items()
            }
        },
    )


def random_matches(seed, images=12, classes=3, quality=0.5, truth=None):
    """Detections without a detector: right with probability `quality`, surer when right."""
    rng = np.random.default_rng(seed)
    if truth is None:
        truth = np.random.default_rng(99).integers(0, 4, (images, classes))
    rows = []
    for image in range(images):
        for label in range(classes):
            for _ in range(truth[image, label]):
                if rng.random() < quality:
                    rows.append((image, label, rng.beta(4, 2), np.arange(10) < rng.integers(1, 11)))
            for _ in range(rng.integers(0, 3)):
                rows.append((image, label, rng.beta(2, 4), np.zeros(10, bool)))
    columns = list(zip(*rows, strict=True))
    return Matches(
        stems=[f"{index:05d}" for index in range(images)],
        truth=truth,
        image=np.array(columns[0]),
        label=np.array(columns[1]),
        confidence=np.array(columns[2], np.float32),
        correct=np.array(columns[3]),
        boxes=rng.uniform(0, 100, (len(rows), 4)).astype(np.float32),
    )


def confusions(seed, correct, images=12):
    """Of images with 100 pixels a class, a share of them labeled right."""
    random = np.random.default_rng(seed)
    matrices = np.zeros((images, 9, 9), np.int64)
    for image in matrices:
        right = random.binomial(100, correct, 9)
        image[np.arange(9), np.arange(9)] = right
        image[np.arange(9), (np.arange(9) + 1) % 9] = 100 - right
    return ImageConfusions([f"{index:05d}" for index in range(images)], matrices)
