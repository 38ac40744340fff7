"""Where the labels of a data set lie, and which of them are refused unread."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from detection.classes import CLASSES as M3FD_CLASSES
from fusion.core.errors import InputError, list_names
from fusion.images.pairs import Pair, list_folder
from pipelines.datasets.config import NAME_FIELD, BoxesConfig, M3FDConfig
from pipelines.datasets.places import own_name, read_names

BOXES = frozenset({".xml", ".txt"})
"""Suffixes of box annotations, in any case."""


def require_labels(folder: Path, pairs: Sequence[Pair], found: Mapping[str, Path]) -> None:
    """Check that every pair has a label.

    Raises:
        InputError: naming the pairs without one.
    """
    if missing := {pair.name for pair in pairs} - found.keys():
        raise InputError(folder, f"has no label for {list_names(missing)}", "add the labels")


def require_png(labels: Sequence[Path]) -> None:
    """Refuse label images of another format than PNG.

    Raises:
        InputError: naming the first.
    """
    if others := [path for path in labels if path.suffix.lower() != ".png"]:
        rest = f" (and {len(others) - 1} more labels are not PNG)" if others[1:] else ""
        kind = others[0].suffix[1:].upper()
        reason = f"a label is PNG, and {kind} can change its class indices{rest}"
        raise InputError(others[0], reason, "export the labels as PNG")


def annotations(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """VOC XML or YOLO text by stem; files with other stems than the images are ignored.

    Raises:
        InputError: the folder is missing, or an image has two annotations.
    """
    pattern = folder.name if NAME_FIELD in folder.name else NAME_FIELD
    folder = folder if pattern == NAME_FIELD else folder.parent
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in list_folder(folder, "set `labels` to the folder of annotations"):
        name = own_name(path.stem, pattern)
        if path.suffix.lower() in BOXES and name is not None:
            found[name].append(path)
    if double := [path.name for name in names for path in found.get(name, ()) if found[name][1:]]:
        reason = f"has two annotations of one image: {list_names(double)}"
        raise InputError(folder, reason, "keep the one that is right")
    return {name: found[name][0] for name in names if name in found}


def require_numbers(labels: Path, config: M3FDConfig | BoxesConfig) -> None:
    """Refuse a `classes.txt`, as labelImg writes it, that gives the classes other numbers.

    Raises:
        InputError: naming the class.
    """
    listing = (labels.parent if NAME_FIELD in labels.name else labels) / "classes.txt"
    if not listing.is_file():
        return
    left_out = config.left_out if isinstance(config, BoxesConfig) else []
    numbers = {
        name.lower(): n for n, name in enumerate([*(config.classes or M3FD_CLASSES), *left_out])
    }
    for number, name in enumerate(read_names(listing)):
        if numbers.get(name.lower(), number) != number:
            reason = f"gives class '{name}' the number {number}, not {numbers[name.lower()]}"
            raise InputError(listing, reason, "give `classes` in the order of that file")
