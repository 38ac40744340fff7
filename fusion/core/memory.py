"""How the process handles the memory of freed tensors."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Options of mallopt(3), as malloc.h defines them."""


def keep_freed_memory() -> None:
    """Let the process reuse the memory of freed tensors instead of returning it to the system.

    By default, glibc maps each large block from the system, and the kernel zeroes every page of it:
    a third of a network's time on a CPU. The pools that glibc gives to further threads are too
    small for large blocks, which it maps then all the same, so all threads share one pool.
    Without Linux and glibc this function does nothing.
    Call it before the first tensor.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_ARENA_MAX, 1)
