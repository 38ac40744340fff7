"""Where and how networks run: one object for training and inference."""

from contextlib import AbstractContextManager
from typing import Literal

import torch
from pydantic import Field

from fusion.config import Config
from fusion.images import InputError


class RuntimeConfig(Config):
    """Device, precision and speed settings.

    Precision, memory format and compilation change results within rounding; images above the
    memory ceiling are fused in tiles (fusion/tiles.py); the rest changes nothing.

    accelerator: "auto" takes a CUDA device where there is one.
    devices, num_nodes: processes of distributed training (DDP).
    precision: "bf16-mixed" runs the networks in bfloat16 autocast; losses, hashing and norms of
        attention stay in float32. Detection does so only on GPUs made for it, else in float32.
    channels_last: memory format of the networks and images.
    compile: train with torch.compile. Fusing never does: image sets have many sizes, and compiling
        for each takes longer than fusing them all.
    device_cache: where decoded training images are kept: in RAM, on the device, or ("auto") on
        the device when they fit.
    memory_gib: ceiling of what fusing holds in tensors, GiB, or what a CUDA device has free if
        that is less; larger images are fused in tiles.
    checkpoint_seconds: at most this much training is lost when a run is killed.
    """

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(1, ge=1)
    num_nodes: int = Field(1, ge=1)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    channels_last: bool = True
    compile: bool = False
    device_cache: Literal["auto", "ram", "device"] = "auto"
    memory_gib: float = Field(10.0, gt=0)
    checkpoint_seconds: float = Field(60.0, ge=0)


def pick_device(runtime: RuntimeConfig) -> torch.device:
    """The device that one process computes on.

    Raises:
        InputError: as `require_device`.
    """
    if runtime.accelerator == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return require_device(runtime.accelerator)


def require_device(device: str | torch.device) -> torch.device:
    """A device by its name, such as "cpu" or "cuda:1".

    Raises:
        InputError: torch knows no such device, or there is no CUDA device here.
    """
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise InputError(str(device), "is no device of torch", 'give "cpu" or "cuda"') from error
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        reason = f"torch finds {torch.cuda.device_count()} CUDA devices here"
        raise InputError(str(found), reason, 'give "cpu", or look at the driver (nvidia-smi)')
    return found


def autocast(runtime: RuntimeConfig, device: torch.device) -> AbstractContextManager[None]:
    """The autocast context of the wanted precision."""
    enabled = runtime.precision == "bf16-mixed"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
