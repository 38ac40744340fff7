"""Images that somebody else has fused: a row of the leaderboard without a network."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from fusion.core.errors import InputError, list_names
from fusion.images.color import luminance, restore_color, stretch
from fusion.images.decode import image_size, read_visible
from fusion.images.pairs import Pair, check_same_size, find_images
from fusion.inference.fuse import as_planes, write_fused


def checksum_of_images(folder: Path) -> str:
    """SHA-256 over names and contents of all files below a folder.

    Raises:
        InputError: the folder is missing.
    """
    if not folder.is_dir():
        raise InputError(folder, "is not a folder", "set `source` to the fused images")
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def adopt_images(
    folder: Path, split: str, pairs: Sequence[Pair], output: Path, *, stretched: bool = False
) -> None:
    """Bring fused images into the form that `fusion.inference.fuse.fuse_pairs` leaves.

    A grey image gets the visible image's colour, as every fused luminance does; a coloured one
    keeps its own.

    Args:
        folder: images named like the pairs, in it or in `<folder>/<split>`.
        split: of the data set.
        pairs: all of them must have their image.
        output: gets `<name>.png`.
        stretched: stretch each image's luminance to its full range; by default it stays as it was
            delivered.

    Raises:
        InputError: images are missing or differ in size from their pair (the message lists them);
            nothing has been written then.
    """
    found = find_images(folder / split if (folder / split).is_dir() else folder)
    if missing := [pair.name for pair in pairs if pair.name not in found]:
        reason = f"lacks {len(missing)} of {len(pairs)} images: {list_names(missing)}"
        raise InputError(folder, reason, "a mean over fewer images would mislead: add them")
    for pair in pairs:
        check_same_size(pair)
    if scaled := [p.name for p in pairs if image_size(found[p.name]) != image_size(p.visible)]:
        reason = f"differ in size from their pair: {list_names(scaled)}"
        raise InputError(folder, reason, "take unscaled images")
    output.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        pixels = read_visible(found[pair.name]).pixels
        fused = as_planes(pixels)
        if stretched or pixels.ndim == 2:
            source = read_visible(pair.visible).pixels if pixels.ndim == 2 else pixels
            fused = _colored(fused, as_planes(source), stretched)
        write_fused(output / f"{pair.name}.png", fused)


def _colored(fused: Tensor, source: Tensor, stretched: bool) -> Tensor:
    """The luminance of one image in the colour of another, 3×H×W uint8 each."""
    planes, colors = fused[None] / 255, source[None] / 255
    grey = luminance(planes)
    colored = restore_color(stretch(grey) if stretched else grey, colors)[0]
    return (colored * 255).round().to(torch.uint8)
