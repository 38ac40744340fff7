"""What the machine can do: the ceilings that measured speeds are held against."""

import resource
import time

import torch

MIB = 2**20


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matmul_ceiling(device: torch.device, dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Best measured TFLOP/s of one large matrix product."""
    side = 8192 if device.type == "cuda" else 1536
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        torch.mm(left, right)
        synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best / 1e12


def peak_memory(device: torch.device) -> float:
    """Peak MiB: allocated on a GPU; on a CPU the process's resident set (Linux)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def describe(device: torch.device) -> dict[str, object]:
    """Device, threads, library version and measured ceilings."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "matmul_tflops_fp32": round(matmul_ceiling(device, torch.float32), 3),
        "matmul_tflops_bf16": round(matmul_ceiling(device, torch.bfloat16), 3),
    }
