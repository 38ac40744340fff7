"""Which stages of dvc.yaml use GPUs, and how many."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fusion.core.errors import InputError
from pipelines.strict_yaml import read_yaml

ONE_GPU = {"detect", "segment"}
EVERY_DEVICE = {"train", "teach", "fuse", "evaluate"}
"""They start `runtime.devices` processes."""


def gpu_counts(params: Path = Path("params.yaml")) -> Callable[[str], int]:
    """A function from a stage's name to the number of GPUs that it uses where there are any.

    Raises:
        InputError: params.yaml is not valid YAML, or `runtime.devices` is no number of devices.
    """
    content = read_yaml(params) if params.is_file() else None
    runtime = content.get("runtime") if isinstance(content, dict) else None
    given = runtime if isinstance(runtime, dict) else {}
    accelerator = given.get("accelerator", "auto")
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and given.get("reproducible"))
    devices = 0 if on_cpu else _devices(given, params)

    def count(stage: str) -> int:
        kind = stage.rpartition(":")[2].partition("@")[0]
        return devices if kind in EVERY_DEVICE else min(devices, 1) if kind in ONE_GPU else 0

    return count


def _devices(runtime: Mapping[Any, Any], params: Path) -> int:
    devices = runtime.get("devices", 1)
    if type(devices) is not int or devices < 1:
        reason = f"runtime.devices: '{devices}' is not a whole number from 1 on"
        raise InputError(params, reason, "write how many processes a stage starts")
    return devices
