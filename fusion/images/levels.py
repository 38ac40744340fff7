"""Gray levels of images with more than 8 bits."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusion.core.errors import InputError

DIM_BITS = 14
"""Images of 16 bits that use so many or fewer come from sensors of 10, 12 or 14 bits."""

SCALED = "scaled from"
"""How the note on a scaled image begins."""


def require_range(values: tuple[float, float]) -> None:
    """Check a declared range.

    Raises:
        InputError: it is not two finite numbers in order.
    """
    low, high = values
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        reason = f"is not two finite numbers in order: {low:g} {high:g}"
        raise InputError("infrared range", reason, "give the lowest and the highest value")


def scale_levels(
    path: Path, values: NDArray[np.generic], declared_range: tuple[float, float] | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Values of more than 8 bits as gray levels, and notes for the user.

    Args:
        path: for messages.
        values: H×W, integers or floats.
        declared_range: the values mapped to 0 and 255; by default 0 and 65535.

    Raises:
        InputError: values are not finite, or of unknown range.
    """
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise InputError(path, "has values that are not finite", "replace them")
    if declared_range is None and (
        values.dtype.kind == "f" or wide.min() < 0 or wide.max() > 65535
    ):
        raise InputError(
            path,
            f"has values {wide.min():g}..{wide.max():g} of unknown range",
            "declare infrared's range (--ir-range LOW HIGH), store visible in 8 or 16 bits",
        )
    low, high = declared_range or (0, 65535)
    scaled = (wide - low) / (high - low)
    notes: tuple[str, ...] = (f"{SCALED} {low:g}..{high:g}",)
    bits = int(wide.max()).bit_length()
    if declared_range is None and 0 < bits <= DIM_BITS:
        remedy = f"if it is infrared, declare its range (--ir-range 0 {2**bits - 1})"
        notes += (f"dark, only {bits} of 16 bits are used: {remedy}",)
    return np.rint(scaled.clip(0, 1) * 255).astype(np.uint8), notes
