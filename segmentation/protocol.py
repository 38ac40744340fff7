"""The conditions that comparable segmentation scores share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusion.core.config import RuntimeConfig
from fusion.core.files import file_digest
from fusion.core.protocol import library_versions, protocol_digest
from fusion.images.prepared import PreparedSet
from segmentation.config import SegmentationConfig
from segmentation.data import LabeledImages

_WITHOUT_EFFECT = {"pictures", "options"}


def conditions(config: SegmentationConfig, runtime: RuntimeConfig) -> dict[str, Any]:
    """The conditions set by settings and machine: settings, weights, precision, libraries.

    A weight file is identified by content, not by path. Only the `options` of the chosen
    architecture count.
    """
    settings = config.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
    if file := config.weight_file():
        settings["encoder_weights"] = f"sha256:{file_digest(Path(file))}"
    return {
        "task": "segmentation",
        "settings": {**settings, "options": config.own_options()},
        "precision": runtime.precision,
        "libraries": library_versions("segmentation-models-pytorch", "timm", "torch"),
    }


def protocol(
    config: SegmentationConfig,
    runtime: RuntimeConfig,
    seed: int,
    prepared: PreparedSet,
    splits: Mapping[str, LabeledImages],
) -> dict[str, Any]:
    """All conditions that methods share; only their images differ.

    Args:
        config: the experiment's settings.
        runtime: where and how to compute.
        seed: the training seed.
        prepared: the data set.
        splits: images to learn from, to validate on and to test.
    """
    names = {split: data.stems for split, data in splits.items()}
    labels = {split: data.label_digests for split, data in splits.items()}
    night = prepared.night
    return {
        **conditions(config, runtime),
        "seed": seed,
        "data": {
            "name": prepared.name,
            "split": prepared.split_protocol,
            "split_sha256": protocol_digest(names),
            "images": {split: len(data) for split, data in splits.items()},
            "labels_sha256": protocol_digest(labels),
            "classes": list(splits["test"].classes.names),
            "background": splits["test"].classes.background,
            "night_sha256": night and protocol_digest({"night": night}),
        },
    }
