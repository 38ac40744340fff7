"""What fusing one pair costs: floating-point operations and time."""

import copy
import time
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fusion.core.config import RuntimeConfig
from fusion.core.runtime import autocast, device_name, pick_device
from fusion.inference.fuse import fuse_batch
from fusion.inference.tiles import plan_memory
from fusion.methods.base import FusionMethod

HEIGHT, WIDTH = 480, 640
"""Size of the pair, that of MSRS."""

_CALLS, _SECONDS = 5, 1.0
"""A measurement ends after so many calls, or after the call that passes so many seconds."""

_SLOW = 5.0
"""From so many seconds on, a first call is the measurement: preparing is a small part of it."""


class Timing(NamedTuple):
    """Time to fuse one pair of 480×640 pixels.

    milliseconds: median over the calls, without reading and writing files; of networks that take
        seconds, the only call.
    device: name of the processor or GPU.
    threads: threads that torch used on the processor.
    """

    milliseconds: float
    device: str
    threads: int


def count_flops(method: FusionMethod) -> int:
    """Floating-point operations of fusing one pair of 480×640 pixels.

    A multiplication and an addition count as two. Convolutions, matrix products and attention are
    counted, elementwise operations are not (`torch.utils.flop_counter`). Shapes alone are enough
    for most networks; a network that computes with values, such as hash codes, runs once.

    >>> from fusion.inference.pretrained import load
    >>> count_flops(load("pomai-tiny").method) > 1e9
    True
    """
    frozen = copy.deepcopy(method).requires_grad_(False)  # the counter would ask for gradients
    try:
        return _counted(copy.deepcopy(frozen).to("meta"), torch.device("meta"))
    except (NotImplementedError, RuntimeError):
        return _counted(frozen, torch.device("cpu"))


def _counted(method: FusionMethod, device: torch.device) -> int:
    infrared, visible = torch.zeros(1, 1, HEIGHT, WIDTH), torch.zeros(1, 3, HEIGHT, WIDTH)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        method(infrared.to(device), visible.to(device))
    return int(counter.get_total_flops())


def time_pair(method: FusionMethod, *, stretched: bool, runtime: RuntimeConfig) -> Timing:
    """Time the fusion of one generated pair of 480×640 pixels, in tiles if it needs them.

    Args:
        method: fusion method in eval mode.
        stretched: as in `fusion.inference.fuse.fuse_batch`.
        runtime: where and how to compute.

    Raises:
        InputError: the method does not fuse images of this size.
    """
    device = pick_device(runtime)
    method = method.to(device)
    infrared, visible = (image.to(device) for image in _pair())
    times: list[float] = []
    with torch.inference_mode(), autocast(runtime, device):
        tiles = plan_memory(runtime.memory_gib, method, device).tiling(HEIGHT, WIDTH)
        for _ in range(1 + _CALLS):
            started = time.perf_counter()
            fuse_batch(method, infrared, visible, stretched=stretched, tiles=tiles).cpu()
            times.append(time.perf_counter() - started)
            if times[0] > _SLOW or (len(times) > 1 and sum(times) > _SECONDS):
                break
    measured = median(times[1:] or times)  # the first call prepares kernels and memory
    return Timing(round(1e3 * measured, 3), device_name(device), torch.get_num_threads())


def _pair() -> tuple[Tensor, Tensor]:
    """B×1×H×W and B×3×H×W uint8 noise, the same in every call."""
    random = torch.Generator().manual_seed(0)
    infrared, visible = (
        torch.randint(0, 256, (1, channels, HEIGHT, WIDTH), generator=random, dtype=torch.uint8)
        for channels in (1, 3)
    )
    return infrared, visible
