"""GPUs and CPU cores: which there are, and how stages that run side by side share them."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from fusion.core.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"


class GpuPool:
    """GPU ids; each is lent to one stage at a time. An id that is listed twice is lent twice.

    Args:
        ids: the GPUs.
        hides: whether a stage sees no GPU but those lent to it, even if there are none to lend.
    """

    def __init__(self, ids: Sequence[str], hides: bool = False) -> None:
        self.size = len(ids)
        self.hides = hides or bool(ids)
        self._free = list(ids)

    def take(self, count: int) -> tuple[str, ...] | None:
        """That many ids, or None while too few are free. Without GPUs, no stage waits for one."""
        if not self.size:
            return ()
        if count > len(self._free):
            return None
        taken, self._free = self._free[:count], self._free[count:]
        return tuple(taken)

    def give_back(self, ids: Sequence[str]) -> None:
        """Make ids free again."""
        self._free += ids


def chosen_gpus(given: str | None, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The GPU ids to use.

    Args:
        given: "0,1", "none", or None for all that this process may use.

    Raises:
        InputError: an id is empty.
    """
    visible = environment.get(VISIBLE)
    if given is None:
        given = visible if visible is not None else ",".join(_present())
    if given.strip() in ("", "none", "-1"):
        return []
    ids = [item.strip() for item in given.split(",")]
    if not all(ids):
        raise InputError("--gpus", f"'{given}' are not GPU ids", "write --gpus 0,1 or --gpus none")
    return ids


def _present() -> list[str]:
    if not (program := shutil.which("nvidia-smi")):
        return []
    query = [program, "--query-gpu=index", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.stdout.split() if not done.returncode else []


def cores() -> int:
    """CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def shares(jobs: int, available: int) -> dict[str, str]:
    """Environment of each of `jobs` processes on that many cores: threads that do not compete.

    torch, MKL and OpenBLAS all follow `OMP_NUM_THREADS`. `OMP_WAIT_POLICY` keeps threads from
    spinning while they wait for others.
    """
    return {"OMP_NUM_THREADS": str(max(1, available // jobs)), "OMP_WAIT_POLICY": "PASSIVE"}
