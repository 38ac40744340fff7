"""Fused images with labels: loaded once into memory, cropped and scaled at random for training."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fusion.core.errors import InputError
from fusion.images.prepared import PreparedSet
from fusion.images.stacked import read_input
from segmentation.classes import IGNORE, MSRS, LabelClasses
from segmentation.labels import read_label
from segmentation.prepared import classes_of


@dataclass(frozen=True)
class LabeledImages:
    """A split in memory.

    Attributes:
        stems: names, one per image.
        images: C×H×W uint8 each (a view of H×W×C memory): RGB, or RGB and infrared where they are
            stacked; sizes can differ.
        labels: class indices, H×W uint8 each.
        image_digests: SHA-256 of each image's pixels.
        label_digests: SHA-256 of each label's.
        classes: the classes of the labels.
    """

    stems: list[str]
    images: list[Tensor]
    labels: list[Tensor]
    image_digests: list[str]
    label_digests: list[str]
    classes: LabelClasses = MSRS

    def __len__(self) -> int:
        return len(self.stems)

    @property
    def channels(self) -> int:
        """3, or 4 for stacked images."""
        return len(self.images[0])

    def subset(self, indices: Sequence[int]) -> "LabeledImages":
        """The images at `indices`, in that order."""
        return LabeledImages(
            [self.stems[index] for index in indices],
            [self.images[index] for index in indices],
            [self.labels[index] for index in indices],
            [self.image_digests[index] for index in indices],
            [self.label_digests[index] for index in indices],
            self.classes,
        )


def split_stems(dataset: Path, split: str) -> list[str]:
    """Names of a split's images.

    Raises:
        InputError: the data set is not prepared, or has no such split or an empty one.
    """
    if not (stems := PreparedSet.load(dataset).names(split)):
        remedy = "segmentation needs both a train and a test split"
        raise InputError(dataset, f"has no '{split}' images", remedy)
    return stems


def load(images: Path, dataset: Path, split: str) -> LabeledImages:
    """Read a split's fused images and labels, in parallel.

    Args:
        images: folder of one method's fused or stacked images, `<split>/<stem>.png`.
        dataset: the prepared data set, `dataset.json` and `<split>/labels/<stem>.png`.
        split: "train" or "test".

    Raises:
        InputError: images or labels are missing (all are reported at once), unreadable, of
            different sizes, or contain a value that is not a class.
    """
    stems, classes = split_stems(dataset, split), classes_of(PreparedSet.load(dataset))
    pairs = [
        (images / split / f"{stem}.png", dataset / split / "labels" / f"{stem}.png")
        for stem in stems
    ]
    missing = [str(path) for pair in pairs for path in pair if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise InputError(
            images,
            f"{len(missing)} files of split '{split}' are missing: {', '.join(missing[:5])}{more}",
            "fuse the split again, and check that the data set has segmentation labels",
        )
    with ThreadPoolExecutor() as pool:  # decoding and hashing release the interpreter lock
        columns = zip(*pool.map(partial(_read_pair, classes), pairs), strict=True)
    pixels, labels, image_digests, label_digests = map(list, columns)
    return LabeledImages(stems, pixels, labels, image_digests, label_digests, classes)


def _read_pair(classes: LabelClasses, pair: tuple[Path, Path]) -> tuple[Tensor, Tensor, str, str]:
    image_path, label_path = pair
    image = np.array(read_input(image_path))  # a copy that tensors may share
    label = read_label(label_path, classes)
    if image.shape[:2] != label.shape:
        raise InputError(
            image_path,
            f"is {image.shape[1]}×{image.shape[0]} but its label {label_path} is "
            f"{label.shape[1]}×{label.shape[0]}",
            "an image and its label must have the same size",
        )
    return (
        torch.from_numpy(image).movedim(-1, 0),
        torch.from_numpy(label),
        _digest(image),
        _digest(label),
    )


def _digest(pixels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def hold_out(
    data: LabeledImages, fraction: float, seed: int
) -> tuple[LabeledImages, LabeledImages]:
    """Split off a validation part: (training, validation), determined by stems and seed.

    Raises:
        InputError: fewer than two images.
    """
    if len(data) < 2:
        raise InputError("segmentation", "has a single training image", "add one to validate on")
    order = np.random.default_rng(seed).permutation(len(data))
    held = min(max(1, round(fraction * len(data))), len(data) - 1)
    return data.subset(np.sort(order[held:]).tolist()), data.subset(np.sort(order[:held]).tolist())


def augmented_batch(
    data: LabeledImages,
    indices: Sequence[int],
    crop: int,
    scale: Sequence[float],
    rng: np.random.Generator,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Scale, crop and mirror at random: a function of the arguments and the state of `rng`.

    The window of the crop is cut first and then resampled, so the cost depends on the crop, not on
    the scaled image. Downscaling is antialiased.

    Args:
        data: the images.
        indices: indices of the images to crop.
        crop: side of the square result.
        scale: smallest and largest magnification, drawn uniformly.
        rng: source of the random numbers.
        device: where the result is computed.

    Returns:
        Images, B×C×crop×crop float32 in [0, 1], and labels, B×crop×crop int64 (`IGNORE` outside).
    """
    draws = rng.random((len(indices), 4))
    images, labels = [], []
    for index, (magnification, down, right, mirror) in zip(indices, draws, strict=True):
        height, width = data.labels[index].shape
        side = max(1, round(crop / (scale[0] + magnification * (scale[1] - scale[0]))))
        rows, columns = _window(height, side, down), _window(width, side, right)
        padding = (*columns.padding, *rows.padding)
        image = data.images[index][:, rows.inside, columns.inside].to(device)
        label = data.labels[index][rows.inside, columns.inside].to(device)
        image = F.pad(image, padding)[None].float()
        label = F.pad(label, padding, value=IGNORE)[None, None].float()
        image = F.interpolate(image, (crop, crop), mode="bilinear", antialias=True)
        label = F.interpolate(label, (crop, crop), mode="nearest-exact")
        images.append(image.flip(-1) if mirror < 0.5 else image)
        labels.append(label.flip(-1) if mirror < 0.5 else label)
    return torch.cat(images) / 255, torch.cat(labels)[:, 0].long()


@dataclass(frozen=True)
class _Window:
    inside: slice
    padding: tuple[int, int]


def _window(length: int, side: int, draw: float) -> _Window:
    """Place `side` pixels on an axis of `length` at random; the shorter is inside the longer."""
    start = int(draw * (abs(length - side) + 1))
    if side <= length:
        return _Window(slice(start, start + side), (0, 0))
    return _Window(slice(0, length), (start, side - length - start))
