"""What the machine can do, and what a measurement on it needs: clocks, processes, counters."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

MIB = 2**20


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def use_tf32(wanted: bool) -> None:
    """Let CUDA's float32 products and convolutions round their inputs to TF32, or not."""
    torch.set_float32_matmul_precision("high" if wanted else "highest")
    torch.backends.cudnn.allow_tf32 = wanted


def best_seconds(action: Callable[[], object], device: torch.device, seconds: float = 1.0) -> float:
    """Seconds of the fastest of the runs that fit into a while."""
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        action()
        synchronize(device)
        best = min(best, time.perf_counter() - started)
    return best


def matmul_ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """Best measured TFLOP/s of one large matrix product."""
    side = 8192 if device.type == "cuda" else 1536
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / best_seconds(lambda: torch.mm(left, right), device) / 1e12


def bandwidth_ceiling(device: torch.device) -> float:
    """Best measured GB/s, bytes read and written, of copying a large tensor."""
    source = torch.ones(2**30 if device.type == "cuda" else 2**26, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / best_seconds(lambda: target.copy_(source), device) / 1e9


def peak_memory(device: torch.device) -> float:
    """Peak MiB: allocated on a GPU; on a CPU the process's resident set (Linux).

    `getrusage` would do as well, did its peak not outlive exec: a new process has its parent's.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def describe(device: torch.device) -> dict[str, Any]:
    """Device, threads, library version and measured ceilings."""
    cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if cuda else "cpu"
    use_tf32(False)
    facts = {
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "matmul_tflops_fp32": round(matmul_ceiling(device, torch.float32), 3),
        "matmul_tflops_bf16": round(matmul_ceiling(device, torch.bfloat16), 3),
        "copy_gb_per_second": round(bandwidth_ceiling(device), 1),
    }
    if cuda:
        use_tf32(True)
        facts["matmul_tflops_tf32"] = round(matmul_ceiling(device, torch.float32), 3)
        use_tf32(False)
    return facts


def matmul_limit(facts: dict[str, Any], setting: str) -> float:
    """The measured TFLOP/s that a row of this name is held against."""
    kind = next((kind for kind in ("bf16", "tf32") if kind in setting), "fp32")
    return facts[f"matmul_tflops_{kind}"]


class Work(TorchDispatchMode):
    """Counts the bytes that operations under it read and write, views aside.

    Each operation is taken to read its inputs and write its outputs in full: what one kernel an
    operation, without a cache, moves.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        returned = func._schema.returns
        view = any(value.alias_info and not value.alias_info.is_write for value in returned)
        if not view and func is not torch.ops.aten._unsafe_view.default:
            tensors = tree_leaves((args, kwargs, output))
            self.bytes += sum(x.nbytes for x in tensors if isinstance(x, Tensor))
        return output


def work_of(action: Callable[[], object]) -> tuple[int, int]:
    """Floating-point operations, as torch counts them, and bytes moved (`Work`)."""
    with torch.no_grad(), FlopCounterMode(display=False) as flops, Work() as work:
        action()
    return flops.get_total_flops(), work.bytes


class Kernels:
    """The kernels (operations on a CPU) that take most time between `start` and `slowest`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
        self._recorded = profile(activities=kinds)

    def start(self) -> None:
        """Record from now on."""
        self._recorded.start()

    def slowest(self, count: int = 5) -> dict[str, float]:
        """Stop; names of the slowest and their shares of all kernels' time."""
        synchronize(self._device)
        self._recorded.stop()
        cuda = self._device.type == "cuda"
        where = torch.autograd.DeviceType.CUDA if cuda else torch.autograd.DeviceType.CPU
        field = "self_device_time_total" if cuda else "self_cpu_time_total"
        times = {
            event.key: getattr(event, field)
            for event in self._recorded.key_averages()
            if event.device_type == where
        }
        total = sum(times.values())
        ranked = sorted(times, key=times.__getitem__, reverse=True)[:count]
        return {name[:100]: round(times[name] / total, 3) for name in ranked}


def isolated(function: Callable[..., dict], device: torch.device, *args: object) -> dict:
    """What `function(*args)` returns, with a peak of memory that is its own.

    On a CPU it runs in a fresh process; on a GPU here, where a peak can be forgotten and a new
    process would take longer to start than most things to measure.
    """
    if device.type == "cpu":
        return in_own_process(function, *args)
    torch.compiler.reset()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    try:
        return function(*args)
    except torch.OutOfMemoryError as error:
        return {"error": str(error)}


def in_own_process(function: Callable[..., dict], *args: object) -> dict:
    """What `function(*args)` returns in a fresh process; {"error": …} where the process ended."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_result, args=(sender, function, args))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        return {"error": f"the process ended with code {process.exitcode}, see above"}
    finally:
        process.join()


def _send_result(sender: Any, function: Callable[..., dict], args: tuple[object, ...]) -> None:
    sender.send(function(*args))
