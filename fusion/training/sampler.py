"""Training pairs in memory, and the crops that each step of training sees."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion.core.errors import InputError, list_names
from fusion.images.decode import image_size, read_infrared, read_visible
from fusion.images.pairs import Pair, check_same_size, find_pairs
from fusion.methods.base import Batch


@dataclass(frozen=True)
class PairStore:
    """All training pairs, decoded once: four bytes per pixel and one more for every teacher.

    pixels: uint8 N×4, infrared then RGB of every pixel of every image, one image after the other.
    fused: uint8 N×4·ceil(teachers/4), luminance of each teacher's fused images.
    teachers: number of teachers; further columns of `fused` are padding.
    heights, widths, starts: one entry an image; `starts` is the image's first row in `pixels`.
    names: `<set>/<stem>`, for messages.
    """

    pixels: Tensor
    fused: Tensor
    teachers: int
    heights: Tensor
    widths: Tensor
    starts: Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def describe(self) -> dict[str, Any]:
        """The training data for a card: how many pairs of which set, and a checksum.

        The SHA-256 is over names, sizes and pixels, those of teachers' images included.
        """
        digest = hashlib.sha256("\0".join(self.names).encode())
        for table in (self.heights, self.widths, self.pixels, self.fused):
            digest.update(table.cpu().numpy().reshape(-1).data)
        sets = Counter(name.partition("/")[0] for name in self.names)
        return {"pairs": len(self), "sets": dict(sets), "sha256": digest.hexdigest()}

    def to(self, device: torch.device) -> "PairStore":
        """The same store on `device`."""
        return replace(
            self,
            pixels=self.pixels.to(device),
            fused=self.fused.to(device),
            heights=self.heights.to(device),
            widths=self.widths.to(device),
            starts=self.starts.to(device),
        )

    def crops(
        self, images: Tensor, size: int, draws: Tensor, device: torch.device | None = None
    ) -> Batch:
        """Cut one square crop out of each of the given images, in one gather.

        Args:
            images: B indices.
            size: side of the crops.
            draws: B×4 in [0, 1): vertical and horizontal position, vertical and horizontal flip
                (below one half).
            device: device of the batch; by default the device of the store.

        Returns:
            A batch of B crops, float32 in [0, 1].
        """
        top = (draws[:, 0] * (self.heights[images] - size + 1)).long()
        left = (draws[:, 1] * (self.widths[images] - size + 1)).long()
        span = torch.arange(size, device=draws.device)
        rows = torch.where(draws[:, 2:3] < 0.5, span.flip(0), span) + top.unsqueeze(1)
        columns = torch.where(draws[:, 3:4] < 0.5, span.flip(0), span) + left.unsqueeze(1)
        positions = rows.unsqueeze(2) * self.widths[images].view(-1, 1, 1) + columns.unsqueeze(1)
        positions += self.starts[images].view(-1, 1, 1)
        planes = _planes(self.pixels, positions, device)
        if not self.teachers:
            return Batch(planes[:, :1], planes[:, 1:])
        fused = _planes(self.fused, positions, device)[:, : self.teachers]
        return Batch(planes[:, :1], planes[:, 1:], fused)


def _planes(table: Tensor, positions: Tensor, device: torch.device | None) -> Tensor:
    """Rows of a table of bytes as images: N×K, B×H×W -> B×K×H×W float32 in [0, 1]."""
    # bytes move as 32-bit words: 28 times as fast as four bytes on a CPU
    words = table.view(torch.int32).index_select(0, positions.flatten())
    pixels = words.view(torch.uint8).view(*positions.shape, -1).to(device, non_blocking=True)
    return pixels.permute(0, 3, 1, 2).float().div_(255)


def load_pairs(folders: Sequence[Path], crop: int, teachers: Sequence[Path] = ()) -> PairStore:
    """Decode the pairs of every `<folder>/{ir,vi}`; sizes may differ between pairs.

    Each teacher's fused images lie in `<teacher>/<folder's name>/<stem>.png`.

    Sizes are read from the files' headers first, so that invalid input fails at once. Memory: four
    bytes per pixel (1083 pairs of 640×480: 1.3 GB), in every process.

    Raises:
        InputError: there are no pairs, two partners differ in size, an image cannot be read, is
            smaller than the crops cut from it, or a fused image of a teacher is missing.
    """
    if not folders:
        raise InputError("training pairs", "no folder of pairs was given", "prepare a data set")
    found = [(folder, find_pairs(folder / "ir", folder / "vi")) for folder in folders]
    pairs = [pair for _, some in found for pair in some]
    names = tuple(f"{folder.name}/{pair.name}" for folder, some in found for pair in some)
    lessons = [_fused_images(teacher, names) for teacher in teachers]
    with ThreadPoolExecutor() as pool:
        sizes = np.array(list(pool.map(partial(_checked_size, crop=crop), pairs)))
        ends = sizes.prod(axis=1).cumsum()
        pixels = np.empty((ends[-1], 4), dtype=np.uint8)
        list(pool.map(_decode, pairs, np.split(pixels, ends[:-1])))
        fused = np.zeros((ends[-1], -(-len(teachers) // 4) * 4), dtype=np.uint8)
        for column, images in zip(fused.T, lessons, strict=False):
            list(pool.map(_decode_fused, images, pairs, np.split(column, ends[:-1])))
    heights, widths = torch.from_numpy(sizes).unbind(1)
    return PairStore(
        torch.from_numpy(pixels),
        torch.from_numpy(fused),
        len(teachers),
        heights.contiguous(),
        widths.contiguous(),
        torch.from_numpy(ends) - heights * widths,
        names,
    )


def _checked_size(pair: Pair, crop: int) -> tuple[int, int]:
    check_same_size(pair)
    height, width = image_size(pair.infrared)
    if min(height, width) < crop:
        raise InputError(
            pair.infrared,
            f"is {width}x{height}, smaller than the crop of {crop}",
            "lower `crop` or remove the pair",
        )
    return height, width


def _decode(pair: Pair, block: NDArray[np.uint8]) -> None:
    """Fill a block of rows of four bytes with a pair's pixels."""
    infrared, visible = read_infrared(pair.infrared).pixels, read_visible(pair.visible).pixels
    block[:, 0] = infrared.reshape(-1)
    block[:, 1:] = visible.reshape(len(block), -1)  # gray fills all three channels


def _fused_images(teacher: Path, names: Sequence[str]) -> list[Path]:
    paths = [teacher / f"{name}.png" for name in names]
    if missing := [name for name, path in zip(names, paths, strict=True) if not path.is_file()]:
        raise InputError(teacher, f"lacks {list_names(missing)}", "fuse all training pairs first")
    return paths


def _decode_fused(path: Path, pair: Pair, block: NDArray[np.uint8]) -> None:
    """Fill a block of bytes with a fused image's luminance."""
    pixels = read_infrared(path).pixels
    if pixels.shape != image_size(pair.infrared):
        raise InputError(path, f"differs in size from {pair.infrared}", "fuse the pair again")
    block[:] = pixels.reshape(-1)


@dataclass(frozen=True)
class CropSampler:
    """The crops of a training run: a function of (seed, step) and nothing else.

    Every epoch is a new random order of all pairs; the last batch of an epoch is filled up from
    the order's beginning, so that all batches have `batch_size` crops.
    """

    store: PairStore
    batch_size: int
    crop: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one epoch: ceil(pairs / batch_size)."""
        return -(-len(self.store) // self.batch_size)

    def images(self, step: int) -> Tensor:
        """Indices of the images that step `step` sees, B."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = torch.randperm(len(self.store), generator=_generator(self.seed, 0, epoch))
        places = torch.arange(self.batch_size) + position * self.batch_size
        return order[places % len(self.store)]

    def names(self, step: int) -> list[str]:
        """Names of the pairs that step `step` sees, in all processes together."""
        return [self.store.names[index] for index in self.images(step).tolist()]

    def batch(self, step: int, device: torch.device, rank: int = 0, world: int = 1) -> Batch:
        """The crops of step `step`; of `world` processes, each takes every `world`-th crop."""
        draws = torch.rand(self.batch_size, 4, generator=_generator(self.seed, 1, step))
        home = self.store.pixels.device
        images = self.images(step)[rank::world].to(home, non_blocking=True)
        draws = draws[rank::world].to(home, non_blocking=True)
        return self.store.crops(images, self.crop, draws, device)


def step_seed(seed: int, step: int) -> int:
    """Seed of everything random inside one step's forward pass; the same in all processes."""
    return int(np.random.SeedSequence((seed, 2, step)).generate_state(1, np.uint64)[0] >> 1)


def _generator(*key: int) -> torch.Generator:
    """A generator for one purpose, independent of all others."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
