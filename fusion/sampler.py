"""Training pairs in memory, and the crops that each step of training sees."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fusion.images import InputError, Pair, find_pairs, read_infrared, read_visible
from fusion.methods import Batch


@dataclass(frozen=True)
class PairStore:
    """All training pairs, decoded once, uint8, as flat rows of four bytes a pixel.

    pixels: N×4, infrared then RGB of every pixel of every image, one image after the other.
    heights, widths, starts: one entry an image; `starts` is the first row of the image.
    names: for messages.
    """

    pixels: Tensor
    heights: Tensor
    widths: Tensor
    starts: Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device) -> "PairStore":
        """The same store with its pixels on `device`."""
        return PairStore(
            self.pixels.to(device),
            self.heights.to(device),
            self.widths.to(device),
            self.starts.to(device),
            self.names,
        )

    def crops(self, images: Tensor, size: int, draws: Tensor) -> Batch:
        """Cut one square crop out of each of the given images, in one gather.

        Args:
            images: B indices.
            size: side of the crops.
            draws: B×4 in [0, 1): vertical and horizontal position, vertical and horizontal flip
                (below one half).

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
        crops = (
            self.pixels[positions.flatten()].view(-1, size, size, 4).permute(0, 3, 1, 2).float()
            / 255
        )
        return Batch(crops[:, :1], crops[:, 1:])


def load_pairs(folders: Sequence[Path], crop: int) -> PairStore:
    """Decode the pairs of every `<folder>/{ir,vi}`.

    Raises:
        InputError: there are no pairs, or one is smaller than the crops cut from it.
    """
    pairs = [pair for folder in folders for pair in find_pairs(folder / "ir", folder / "vi")]
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(_decode, pairs))
    for pair, image in zip(pairs, images, strict=True):
        if min(image.shape[:2]) < crop:
            shown = f"{image.shape[1]}x{image.shape[0]}"
            raise InputError(
                pair.visible, f"is {shown}, smaller than the crop of {crop}", "lower `crop`"
            )
    areas = torch.tensor([image.shape[0] * image.shape[1] for image in images])
    return PairStore(
        torch.from_numpy(np.concatenate([image.reshape(-1, 4) for image in images])),
        torch.tensor([image.shape[0] for image in images]),
        torch.tensor([image.shape[1] for image in images]),
        areas.cumsum(0) - areas,
        tuple(str(pair.visible) for pair in pairs),
    )


def _decode(pair: Pair) -> np.ndarray:
    infrared, visible = read_infrared(pair.infrared).pixels, read_visible(pair.visible).pixels
    if visible.ndim == 2:
        visible = np.repeat(visible[..., None], 3, axis=2)
    return np.concatenate([infrared[..., None], visible], axis=2)


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

    def batch(self, step: int, device: torch.device, rank: int = 0, world: int = 1) -> Batch:
        """The crops of step `step`; of several processes, each takes every `world`-th."""
        draws = torch.rand(self.batch_size, 4, generator=_generator(self.seed, 1, step))
        home = self.store.pixels.device
        images = self.images(step)[rank::world].to(home)
        batch = self.store.crops(images, self.crop, draws[rank::world].to(home))
        return Batch(*(plane.to(device) for plane in batch))


def _generator(*key: int) -> torch.Generator:
    """A generator for one purpose, independent of all others."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
