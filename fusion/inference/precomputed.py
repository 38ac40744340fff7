"""Images fused by other software, as a row of the leaderboard."""

import hashlib
from collections.abc import Callable, Sequence
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
    folder: Path,
    split: str,
    pairs: Sequence[Pair],
    output: Path,
    *,
    stretched: bool = False,
    on_note: Callable[[Path, str], None] = lambda *_: None,
) -> None:
    """Convert fused images to the form that `fusion.inference.fuse.fuse_pairs` writes.

    A gray image gets the visible image's color, like every fused luminance; a color image keeps
    its own.

    Args:
        folder: images named like the pairs, in it or in `<folder>/<split>`.
        split: split of the data set.
        pairs: the pairs; each needs a fused image.
        output: folder for `<name>.png`.
        stretched: stretch each image's luminance to its full range; by default it does not
            change.
        on_note: called with each given image that needed more than decoding, and the note
            (`ImageRead.notes`).

    Raises:
        InputError: images are missing or differ in size from their pair (the message lists them);
            in that case nothing is written.
    """
    found = find_images(folder / split if (folder / split).is_dir() else folder)
    if missing := [pair.name for pair in pairs if pair.name not in found]:
        reason = f"lacks {len(missing)} of {len(pairs)} images: {list_names(missing)}"
        raise InputError(folder, reason, "a mean over fewer images would mislead: add them")
    for pair in pairs:
        check_same_size(pair)
    if scaled := [p.name for p in pairs if image_size(found[p.name]) != image_size(p.visible)]:
        reason = f"differ in size from their pair: {list_names(scaled)}"
        raise InputError(folder, reason, "provide unscaled images")
    output.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        image = read_visible(found[pair.name])
        for note in image.notes:
            on_note(found[pair.name], note)
        pixels = image.pixels
        fused = as_planes(pixels)
        if stretched or pixels.ndim == 2:
            source = read_visible(pair.visible).pixels if pixels.ndim == 2 else pixels
            fused = _colored(fused, as_planes(source), stretched)
        write_fused(output / f"{pair.name}.png", fused)


def _colored(fused: Tensor, source: Tensor, stretched: bool) -> Tensor:
    """The luminance of one image in the color of another, 3×H×W uint8 each."""
    planes, colors = fused[None] / 255, source[None] / 255
    gray = luminance(planes)
    colored = restore_color(stretch(gray) if stretched else gray, colors)[0]
    return (colored * 255).round().to(torch.uint8)
