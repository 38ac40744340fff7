"""A list of pairs -> a folder of fused images."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from threading import BoundedSemaphore, Event
from traceback import clear_frames

import numpy as np
import torch
from torch import Tensor

from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError
from fusion.core.runtime import autocast, pick_device, threads_shared_by
from fusion.images.batching import batches_of_one_size
from fusion.images.color import restore_color, stretch
from fusion.images.decode import (
    ONE_IMAGE,
    image_size,
    is_one_image,
    read_infrared,
    read_visible,
    write_image,
)
from fusion.images.opening import LARGEST
from fusion.images.pairs import Pair
from fusion.inference.tiles import MemoryPlan, Tiling, WholeImageError, fuse_in_tiles, plan_memory
from fusion.methods.base import FusionMethod


class UndefinedImageError(FloatingPointError):
    """A network's output has undefined values; `place` is the image's in its batch."""

    def __init__(self, place: int) -> None:
        super().__init__("the fused image has undefined values")
        self.place = place


def fuse_batch(
    method: FusionMethod,
    infrared: Tensor,
    visible: Tensor,
    *,
    stretched: bool,
    tiles: Tiling | None = None,
) -> Tensor:
    """Fuse one batch of equally large pairs.

    Args:
        method: fusion method in eval mode, on the images' device.
        infrared: B×1×H×W uint8.
        visible: B×3×H×W uint8 RGB.
        stretched: stretch every fused image to its own full range.
        tiles: fuse tile by tile; by default the whole image at once.

    Returns:
        B×3×H×W uint8 RGB; three equal channels where the visible image is gray or the method
        does not restore color.

    Raises:
        UndefinedImageError: the network's output has undefined values.
    """
    infrared, visible = infrared.float() / 255, visible.float() / 255
    fused = fuse_in_tiles(method, infrared, visible, tiles)
    if not fused.isfinite().all():
        defined = fused.isfinite().flatten(1).all(1).tolist()
        raise UndefinedImageError(defined.index(False))
    if stretched:
        fused = stretch(fused)
    if method.restores_color:
        colored = restore_color(fused, visible)
    else:
        colored = fused.expand(-1, 3, -1, -1)
    return (colored * 255).round().clamp(0, 255).to(torch.uint8)


Problem = InputError | OSError

_BESIDE = 2
"""Batches that are read or written while others are fused (choice)."""


def _raise(_: Sequence[Pair], problem: Problem | None) -> None:
    if problem:
        raise problem


def fuse_pairs(
    method: FusionMethod,
    pairs: Sequence[Pair],
    output: Path,
    *,
    stretched: bool,
    batch_size: int,
    runtime: RuntimeConfig,
    infrared_range: tuple[float, float] | None = None,
    plan: MemoryPlan | None = None,
    workers: int = 1,
    suffix: str = ".png",
    largest: int = LARGEST,
    on_note: Callable[[Path, str], None] = lambda _path, _note: None,
    on_batch: Callable[[Sequence[Pair], Problem | None], None] = _raise,
) -> None:
    """Fuse pairs into `output/<name><suffix>`; reading and writing overlap with the network.

    Pairs of one size share batches. An image that does not fit into `runtime.memory_gib` is fused
    in tiles. Files are PNG: 8-bit RGB, or gray if the result is gray. `infrared_range` is the
    declared range of `read_infrared`. `plan` is the method's memory plan, for callers that fuse
    repeatedly; by default it is made from `runtime.memory_gib`. On a CPU, up to `workers` batches
    are fused at a time, as far as memory suffices, each with its share of torch's threads: a small
    network keeps one thread busy, but not two. Images of more than `largest` pixels are refused.
    `on_note` is called with each file that needed more than decoding, and the note
    (`ImageRead.notes`), in any order and from other threads. `on_batch` is called, from this
    thread, with each batch that is written or has failed, and what it failed of; what it raises
    ends the call. By default that is the problem itself.

    Raises:
        InputError: an image cannot be read, memory runs out, or the fused image has undefined
            values, or is flat although neither of its sources is.
        OSError: a file cannot be written.

    >>> from fusion.inference.pretrained import load
    >>> ramp = torch.arange(32 * 32).view(32, 32).div(4).byte().numpy()
    >>> write_image(folder / "ir.png", ramp)
    >>> write_image(folder / "vi.png", ramp.T)
    >>> pair = Pair("street", folder / "ir.png", folder / "vi.png")
    >>> method = load("pomai-tiny").method
    >>> fuse_pairs(method, [pair], folder, stretched=False, batch_size=1, runtime=RuntimeConfig())
    >>> (folder / "street.png").is_file()
    True
    """
    device = pick_device(runtime)
    method = method.to(device).eval()
    if runtime.channels_last:
        method = method.to(memory_format=torch.channels_last)
    output.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode(), autocast(runtime, device):
        plan = plan or plan_memory(runtime.memory_gib, method, device)
    most = partial(plan.batch_size, wanted=batch_size)
    batches = batches_of_one_size(pairs, most, largest=largest)
    workers = _fitting(batches, plan, workers if device.type == "cpu" else 1, largest)
    turn, over = BoundedSemaphore(workers), Event()

    def fuse_one(batch: Sequence[Pair]) -> None:
        infrared, visible = _read(batch, infrared_range, largest, on_note)
        with turn, torch.inference_mode(), autocast(runtime, device):
            if over.is_set():  # a bug elsewhere, or Ctrl-C
                return
            images = _fuse_read(
                method,
                batch,
                infrared,
                visible,
                device=device,
                plan=plan,
                stretched=stretched,
                on_note=on_note,
            )
        for pair, image in zip(batch, images, strict=True):
            write_fused(output / f"{pair.name}{suffix}", image)

    with threads_shared_by(workers) as share:
        pool = ThreadPoolExecutor(
            workers + _BESIDE, initializer=torch.set_num_threads, initargs=(share,)
        )
        with pool:
            try:
                running = deque((batch, pool.submit(fuse_one, batch)) for batch in batches)
                while running:
                    _report(*running.popleft(), on_batch)
            finally:
                over.set()
                pool.shutdown(cancel_futures=True)


def _fitting(batches: Sequence[Sequence[Pair]], plan: MemoryPlan, wanted: int, largest: int) -> int:
    """How many batches, 1 to `wanted`, fit into memory at a time, whatever their order."""
    wanted = min(wanted, len(batches))
    if wanted < 2:
        return 1
    sizes = (len(batch) * prod(image_size(batch[0].visible, largest=largest)) for batch in batches)
    return plan.batch_size(max(sizes), wanted)


def _fuse_read(
    method: FusionMethod,
    batch: Sequence[Pair],
    infrared: Tensor,
    visible: Tensor,
    *,
    device: torch.device,
    plan: MemoryPlan,
    stretched: bool,
    on_note: Callable[[Path, str], None],
) -> Tensor:
    """Fuse a batch that is read: B×3×H×W on the CPU."""
    size = infrared.shape[-2:]
    if shortage := plan.shortage(*size):
        on_note(batch[0].visible, shortage)
    with explained(*(pair.visible for pair in batch)):
        fused = fuse_batch(
            method,
            infrared.to(device),
            visible.to(device),
            stretched=stretched,
            tiles=plan.tiling(*size),
        ).cpu()
    for pair, image, *sources in zip(batch, fused, infrared, visible, strict=True):
        _check(pair, image, sources)
    return fused


def _report(
    batch: Sequence[Pair],
    running: Future[None],
    on_batch: Callable[[Sequence[Pair], Problem | None], None],
) -> None:
    problem = None
    try:
        running.result()
    except (InputError, OSError) as error:
        problem = error
    on_batch(batch, problem)


@contextmanager
def explained(*batch: Path) -> Iterator[None]:
    """Turn an error that occurs while fusing a batch into an `InputError` that names a file.

    Args:
        batch: the files of its images, or the one file that has all of them.

    Raises:
        InputError: the fused image has undefined values, or memory ran out or does not suffice.
    """
    try:
        yield
    except WholeImageError as error:
        remedy = "raise --memory (runtime.memory_gib in params.yaml), or fuse smaller images"
        raise InputError(batch[0], str(error), remedy) from error
    except UndefinedImageError as error:
        path = batch[error.place] if len(batch) > 1 else batch[0]
        raise InputError(path, str(error), "retrain the method") from error
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        clear_frames(error.__traceback__)  # they hold tensors: memory that the next pair needs
        torch.cuda.empty_cache()
        remedy = "lower --memory (runtime.memory_gib in params.yaml)"
        raise InputError(batch[0], "memory ran out while it was fused", remedy) from error


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether an allocator raised the error; the CPU allocator has no error class of its own."""
    words = "can't allocate memory", "not enough memory"
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def _read(
    batch: Sequence[Pair],
    infrared_range: tuple[float, float] | None,
    largest: int,
    on_note: Callable[[Path, str], None],
) -> tuple[Tensor, Tensor]:
    infrared = [read_infrared(pair.infrared, infrared_range, largest=largest) for pair in batch]
    visible = [read_visible(pair.visible, largest=largest) for pair in batch]
    for pair, *images in zip(batch, infrared, visible, strict=True):
        for path, image in zip((pair.infrared, pair.visible), images, strict=True):
            for note in image.notes:
                on_note(path, note)
        if is_one_image(*(image.pixels for image in images)):
            on_note(pair.infrared, ONE_IMAGE)
    gray = torch.stack([torch.tensor(image.pixels) for image in infrared])
    return gray.unsqueeze(1), torch.stack([as_planes(image.pixels) for image in visible])


def as_planes(pixels: np.ndarray) -> Tensor:
    """H×W×3 or H×W (three equal channels) -> 3×H×W."""
    tensor = torch.tensor(pixels)
    return tensor.permute(2, 0, 1) if tensor.ndim == 3 else tensor.expand(3, -1, -1)


def _check(pair: Pair, fused: Tensor, sources: Sequence[Tensor]) -> None:
    if _flat(fused) and not any(map(_flat, sources)):  # of a flat one, a maximum may be flat
        reason = "its fused image is one flat color, though neither source is"
        raise InputError(pair.visible, reason, "check the method's weights")


def _flat(image: Tensor) -> bool:
    return bool((image == image[:, :1, :1]).all())


def write_fused(path: Path, image: Tensor) -> None:
    """Write 3×H×W uint8, as a gray file where the channels are equal."""
    gray = bool((image == image[:1]).all())
    write_image(path, image[0].numpy() if gray else image.permute(1, 2, 0).contiguous().numpy())
