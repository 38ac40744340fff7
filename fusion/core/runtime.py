"""Devices and precision: where networks run."""

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch

from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError


def pick_device(runtime: RuntimeConfig) -> torch.device:
    """The device that one process computes on.

    Raises:
        InputError: as `require_device`.
    """
    if runtime.accelerator == "auto":
        on_gpu = torch.cuda.is_available() and not runtime.reproducible
        return require_device("cuda" if on_gpu else "cpu")
    return require_device(runtime.accelerator)


def require_device(device: str | torch.device) -> torch.device:
    """A CPU or CUDA device by its name, such as "cpu" or "cuda:1".

    "cuda" is the calling thread's current device, with its number: other threads start with
    number 0 as theirs.

    Raises:
        InputError: the name is not a CPU or CUDA device, or this CUDA device does not exist.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        reason = f"is not a device ({str(error).splitlines()[0]})"
        raise InputError(f"device {device!r}", reason, 'give "cpu" or "cuda"') from error
    if found.type not in ("cpu", "cuda"):
        raise InputError(str(found), "is not a supported kind of device", 'give "cpu" or "cuda"')
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        reason = f"torch finds {torch.cuda.device_count()} CUDA devices here"
        raise InputError(str(found), reason, 'give "cpu", or check the driver (nvidia-smi)')
    if found.type == "cuda" and found.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return found


def device_name(device: torch.device) -> str:
    """The model of a GPU or of this machine's processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def use_deterministic_algorithms() -> None:
    """Let torch choose algorithms that repeat their results, where it has them."""
    fill: Any = torch.utils.deterministic  # has no types
    # `use_deterministic_algorithms` sets the same, and imports the compiler: three seconds
    torch.set_deterministic_debug_mode("warn")
    fill.fill_uninitialized_memory = False  # a search for bugs, and slow


def autocast(runtime: RuntimeConfig, device: torch.device) -> AbstractContextManager[None]:
    """The autocast context for a precision."""
    enabled = runtime.precision == "bf16-mixed"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


@contextmanager
def threads_shared_by(workers: int) -> Iterator[int]:
    """Divide torch's threads among threads that compute at the same time; yields each one's share.

    Each of these threads must set its share itself (`torch.set_num_threads`): OpenMP keeps the
    number by thread.
    """
    threads = torch.get_num_threads()
    share = max(1, threads // workers)
    torch.set_num_threads(share)
    try:
        yield share
    finally:
        torch.set_num_threads(threads)
