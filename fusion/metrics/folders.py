"""Metrics of three folders: infrared, visible and fused images."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fusion.images import (
    InputError,
    Pair,
    check_same_size,
    find_images,
    find_pairs,
    list_names,
    read_infrared,
)
from fusion.metrics import METRICS, PROTOCOL, compute


def evaluate_folders(
    infrared: Path, visible: Path, fused: Path, names: Sequence[str] = tuple(METRICS)
) -> pd.DataFrame:
    """Measure every fused image of a set against its pair.

    Files are matched by stem. Colour becomes round(0.299 R + 0.587 G + 0.114 B).

    Returns:
        One row an image: `name` and a column a metric; undefined values are NaN.

    Raises:
        InputError: an image has no partner, lacks its fused image, or differs from it in size.
    """
    pairs = find_pairs(infrared, visible)
    found = find_images(fused)
    if missing := [pair.name for pair in pairs if pair.name not in found]:
        raise InputError(fused, f"lacks {list_names(missing)}", "fuse all pairs of the set")
    with ThreadPoolExecutor(2) as pool:
        rows = pool.map(lambda pair: _measure(pair, found[pair.name], names), pairs)
        return pd.DataFrame(list(rows))


def _measure(pair: Pair, fused: Path, names: Sequence[str]) -> dict[str, Any]:
    check_same_size(pair)
    image, infrared, visible = _grey(fused), _grey(pair.infrared), _grey(pair.visible)
    if image.shape != infrared.shape:
        sizes = " and ".join(f"{plane.shape[3]}x{plane.shape[2]}" for plane in (image, infrared))
        raise InputError(fused, f"differs in size from its pair: {sizes}", "fuse at full size")
    values = compute(image, infrared, visible, names)
    return {"name": pair.name, **{name: float(value) for name, value in values.items()}}


def _grey(path: Path) -> Tensor:
    return torch.tensor(read_infrared(path).pixels, dtype=torch.float32)[None, None]


def summarise(frame: pd.DataFrame, resamples: int = 2000) -> dict[str, Any]:
    """Means over the images with 95 % bootstrap intervals; undefined values left out and counted.

    Returns:
        {"protocol", "images", "metrics": {name: {"mean", "low", "high", "undefined"}}}; numbers
        are None where every value is undefined.
    """
    random = np.random.default_rng(0)
    metrics = {}
    for name in frame.columns.drop("name"):
        values = frame[name].dropna().to_numpy()
        metrics[name] = {
            "mean": None,
            "low": None,
            "high": None,
            "undefined": len(frame) - len(values),
        }
        if len(values):
            means = values[random.integers(0, len(values), (resamples, len(values)))].mean(1)
            low, high = np.quantile(means, [0.025, 0.975])
            metrics[name] |= {"mean": values.mean().item(), "low": low.item(), "high": high.item()}
    return {"protocol": PROTOCOL, "images": len(frame), "metrics": metrics}
