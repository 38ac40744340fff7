"""The conditions that comparable detection scores share."""

from pathlib import Path
from typing import Any, Literal

import torch

from detection.config import DetectionConfig
from detection.workspace import Workspace
from fusion.core.config import RuntimeConfig
from fusion.core.files import file_digest
from fusion.core.protocol import library_versions, protocol_digest
from fusion.core.runtime import pick_device

_WITHOUT_EFFECT = {"pictures", "workers", "weights"}


def used_precision(runtime: RuntimeConfig) -> Literal["32-true", "bf16-mixed"]:
    """`runtime.precision` as ultralytics supports it: bfloat16 on GPUs with it, else float32."""
    if runtime.precision == "32-true" or pick_device(runtime).type != "cuda":
        return "32-true"
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16-mixed" if native else "32-true"


def conditions(config: DetectionConfig, runtime: RuntimeConfig) -> dict[str, Any]:
    """The conditions set by settings and machine: settings, weights, precision, libraries.

    Start weights are identified by content, not by path.
    """
    return {
        "task": "detection",
        "settings": config.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
        "weights": file_digest(Path(config.weights)) if config.weights else None,
        "precision": used_precision(runtime),
        "libraries": library_versions("ultralytics", "torch"),
    }


def protocol(
    config: DetectionConfig, runtime: RuntimeConfig, seed: int, workspace: Workspace
) -> dict[str, Any]:
    """All conditions that methods share; only their images differ."""
    return {
        **conditions(config, runtime),
        "seed": seed,
        "data": {
            "name": workspace.name,
            "split": workspace.split_protocol,
            "split_sha256": protocol_digest(workspace.splits),
            "images": {split: len(stems) for split, stems in workspace.splits.items()},
            "classes": workspace.classes,
            "labels_sha256": workspace.label_digest,
            "night_sha256": workspace.night and protocol_digest({"night": workspace.night}),
        },
    }
