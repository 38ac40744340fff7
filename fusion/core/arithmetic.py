"""The same arithmetic on similar x86-64 processors; imports nothing that computes."""

import os
import platform
import sys
from pathlib import Path

from fusion.core.errors import InputError

THREADS = 2
"""Threads of reproducible arithmetic (choice): sums over threads round by their number."""

_EVERYWHERE = {
    "OMP_NUM_THREADS": str(THREADS),
    "OMP_DYNAMIC": "FALSE",
    "OPENBLAS_NUM_THREADS": str(THREADS),
}

_X86_64 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_NUM_THREADS": str(THREADS),
    "MKL_DYNAMIC": "FALSE",
    "MKL_CBWR": "AVX2,STRICT",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENCV_IPP": "avx2",
}
"""Instructions that processors since 2015 share; newer ones round sums in another order."""

_AVX512 = {"OPENCV_CPU_DISABLE": "AVX512-SKX"}
"""Only where the processor has it: otherwise OpenCV complains in every process."""

_CPUINFO = Path("/proc/cpuinfo")


def fix_arithmetic() -> None:
    """Hold torch, oneDNN, MKL, NumPy and OpenCV to AVX2 and to `THREADS` threads.

    The settings go into the environment, which the libraries read when they are loaded; they
    replace the user's. Processes started later inherit them. A machine with fewer cores computes
    the same with the same number of threads, only slower. On other processors than x86-64, only
    the number of threads is fixed.

    Raises:
        RuntimeError: a library is already loaded, so that the settings would have no effect.
        InputError: the processor has no AVX2.
    """
    if loaded := {"torch", "numpy", "cv2"} & {*sys.modules}:
        raise RuntimeError(f"arithmetic is fixed before {', '.join(sorted(loaded))} is imported")
    os.environ.update(_EVERYWHERE)
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.update(_X86_64 | _of_processor())


def _of_processor(facts: Path = _CPUINFO) -> dict[str, str]:
    """Reject a processor without AVX2, where Linux tells: torch would crash."""
    flags = facts.read_text(encoding="utf-8").split() if facts.is_file() else ["avx2", "avx512f"]
    if "avx2" not in flags:
        reason, remedy = "needs a processor with AVX2", "set it to false"
        raise InputError("runtime.reproducible", reason, remedy)
    return _AVX512 if "avx512f" in flags else {}
