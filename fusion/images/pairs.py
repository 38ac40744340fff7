"""Folders of images, matched to pairs by stem."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fusion.core.errors import InputError, list_names, unreadable
from fusion.images.decode import image_size
from fusion.images.opening import LARGEST

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Pair:
    """An infrared and a visible image of one scene, identified by their common stem."""

    name: str
    infrared: Path
    visible: Path


def list_folder(folder: Path, remedy: str) -> list[Path]:
    """The entries of a folder, sorted.

    Raises:
        InputError: it is not a folder (the message ends with `remedy`), or it cannot be read.
    """
    try:
        if not folder.is_dir():
            raise InputError(folder, "is not a folder", remedy)
        return sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from error


def find_images(folder: Path) -> dict[str, Path]:
    """Images of a folder by stem, sorted.

    Raises:
        InputError: the folder is missing, cannot be read or has no images, or two images share a
            stem.
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in list_folder(folder, "give a folder of images"):
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith("."):
            found[path.stem].append(path)
    if not found:
        raise InputError(
            folder, "holds no images", f"images end in {', '.join(sorted(EXTENSIONS))}"
        )
    if double := [path.name for paths in found.values() if len(paths) > 1 for path in paths]:
        raise InputError(folder, f"has two files with one stem: {list_names(double)}", "keep one")
    return {stem: paths[0] for stem, paths in found.items()}


def find_pairs(infrared_folder: Path, visible_folder: Path) -> list[Pair]:
    """Match two folders by stem (extensions may differ), sorted by name.

    Raises:
        InputError: as `find_images`, or an image has no partner.

    >>> for name in ("ir/10.png", "ir/9.png", "vi/9.jpg", "vi/10.jpg"):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     (folder / name).touch()
    >>> [pair.name for pair in find_pairs(folder / "ir", folder / "vi")]
    ['10', '9']
    """
    found = find_images(infrared_folder), find_images(visible_folder)
    return match_pairs(*found, infrared_folder, visible_folder)


def match_pairs(
    infrared: Mapping[str, Path],
    visible: Mapping[str, Path],
    infrared_folder: Path,
    visible_folder: Path,
) -> list[Pair]:
    """Match images by name, in the order of the infrared ones; the folders are for messages.

    Raises:
        InputError: an image has no partner.
    """
    if infrared.keys() != visible.keys():
        lonely = (
            (infrared.keys() - visible.keys(), "infrared", visible_folder),
            (visible.keys() - infrared.keys(), "visible", infrared_folder),
        )
        reasons = [
            f"{len(names)} {kind} without a partner in {folder}: {list_names(names)}"
            for names, kind, folder in lonely
            if names
        ]
        alike = [{_form(name) for name in names} for names, _, _ in lonely]
        if alike[0] & alike[1]:
            reasons.append("some of them differ only in case or in how accents are stored")
        raise InputError(
            infrared_folder,
            ", and ".join(reasons),
            "a pair shares its stem, and images end in "
            f"{', '.join(sorted(EXTENSIONS))}: add the partners or remove these images",
        )
    return [Pair(name, infrared[name], visible[name]) for name in infrared]


def _form(name: str) -> str:
    """A name without case, and in one of Unicode's forms."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def check_same_size(pair: Pair, *, largest: int = LARGEST) -> None:
    """Refuse a pair whose images differ in size; `largest` is that of `open_image`.

    Raises:
        InputError: the sizes differ; pairs must be registered.
    """
    sizes = [image_size(path, largest=largest) for path in (pair.infrared, pair.visible)]
    if sizes[0] != sizes[1]:
        shown = " and ".join(f"{width}x{height}" for height, width in sizes)
        raise InputError(
            pair.infrared,
            f"infrared and visible differ in size: {shown}",
            "pairs must be aligned pixel by pixel: see `pomai align`",
        )


def natural_key(name: str) -> str:
    """Key that sorts names as text, but numbers in them by value.

    >>> sorted(["10.png", "9.png", "a2", "a10"], key=natural_key)
    ['9.png', '10.png', 'a2', 'a10']
    """
    return re.sub("[0-9]+", lambda digits: digits[0].zfill(20), name)
