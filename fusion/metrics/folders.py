"""Metrics of a folder of fused images against the pairs that they were fused from."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fusion.core.errors import InputError, list_names
from fusion.core.processes import Group
from fusion.core.runtime import threads_shared_by
from fusion.images.batching import batches_of_one_size, read_ahead
from fusion.images.decode import ImageRead, read_infrared, read_visible, to_gray
from fusion.images.pairs import Pair, check_same_size, find_images
from fusion.metrics.names import CORE
from fusion.metrics.registry import compute
from fusion.metrics.summary import RANGE

BATCH_PIXELS = {"cpu": 1 << 19, "cuda": 1 << 24}
"""Pixels per batch: fits a CPU's cache, or keeps a GPU busy."""

_BESIDE = 2
"""Batches that are read while others are measured (choice)."""


def evaluate_pairs(
    pairs: Sequence[Pair],
    fused: Path,
    names: Sequence[str] = CORE,
    *,
    device: torch.device | None = None,
    group: Group = Group(),  # noqa: B008 - immutable
    infrared_range: tuple[float, float] | None = None,
    on_pairs: Callable[[int, int], None] = lambda *_: None,
    on_note: Callable[[Path, str], None] = lambda *_: None,
) -> pd.DataFrame:
    """Measure the fused image of every pair; files are matched by stem.

    Color becomes round(0.299 R + 0.587 G + 0.114 B). On a CPU, each of torch's threads measures a
    pair of its own, which is faster than sharing one; files are read meanwhile.

    Args:
        fused: the folder of fused images; it may hold others, too.
        device: where to compute; the CPU by default.
        group: processes that share the pairs; each of them returns the rows of the whole set.
        infrared_range: declared range of `read_infrared`.
        on_pairs: called with this process's numbers of pairs: done, and in total.
        on_note: called with each image that needed more than decoding, and the note
            (`ImageRead.notes`, after the kind of image), from other threads.

    Returns:
        One row per pair, sorted by name: `name`, a column per metric (NaN: undefined), and `range`,
        the fused image's maximum minus its minimum.

    Raises:
        InputError: a pair has no fused image, or one of another size, an image cannot be read, or
            the range is not two finite numbers in order.
    """
    device = device or torch.device("cpu")
    found = find_images(fused)
    if missing := [pair.name for pair in pairs if pair.name not in found]:
        raise InputError(fused, f"lacks {list_names(missing)}", "fuse all pairs of the set")
    mine, limit = group.share(pairs), BATCH_PIXELS[device.type]
    batches = batches_of_one_size(mine, lambda pixels: max(1, limit // pixels))
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    turn = BoundedSemaphore(workers)

    def measure(batch: Sequence[Pair]) -> list[dict[str, Any]]:
        images = _read(batch, found, infrared_range, on_note)
        with turn, torch.inference_mode():
            return _measure(batch, images.to(device), names)

    rows: list[dict[str, Any]] = []
    with threads_shared_by(workers) as share:
        threads = workers + _BESIDE
        with ThreadPoolExecutor(threads, "", torch.set_num_threads, (share,)) as pool:
            for _, measured in read_ahead(pool, measure, batches, threads):
                rows += measured.result()
                on_pairs(len(rows), len(mine))
    everyone = [row for rows in group.gather(rows) for row in rows]
    return pd.DataFrame(everyone).sort_values("name", ignore_index=True)


def _read(
    batch: Sequence[Pair],
    found: dict[str, Path],
    infrared_range: tuple[float, float] | None,
    on_note: Callable[[Path, str], None],
) -> Tensor:
    """uint8 3×B×1×H×W: fused, infrared, visible."""
    planes = []
    for pair in batch:
        reads = {
            "fused": (path := found[pair.name], read_visible(path)),
            "infrared": (pair.infrared, read_infrared(pair.infrared, infrared_range)),
            "visible": (pair.visible, read_visible(pair.visible)),
        }
        _report(reads, on_note)
        image, infrared, visible = (to_gray(read.pixels) for _, read in reads.values())
        if infrared.shape != visible.shape:
            check_same_size(pair)
        if image.shape != infrared.shape:
            sizes = " and ".join(f"{w}x{h}" for h, w in (image.shape, infrared.shape))
            raise InputError(path, f"differs in size from its pair: {sizes}", "fuse it whole")
        planes.append(np.stack([image, infrared, visible]))
    return torch.from_numpy(np.stack(planes, axis=1)).unsqueeze(2)


def _report(
    reads: Mapping[str, tuple[Path, ImageRead]], on_note: Callable[[Path, str], None]
) -> None:
    for kind, (path, read) in reads.items():
        for note in read.notes:
            on_note(path, f"{kind}: {note}")


def _measure(batch: Sequence[Pair], images: Tensor, names: Sequence[str]) -> list[dict[str, Any]]:
    values = compute(images[0], images[1], images[2], names)
    fused = images[0].flatten(1)
    values[RANGE] = fused.amax(1).int() - fused.amin(1).int()
    columns = {name: column.tolist() for name, column in values.items()}
    return [
        {"name": pair.name, **{name: column[index] for name, column in columns.items()}}
        for index, pair in enumerate(batch)
    ]
