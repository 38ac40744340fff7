"""Where the files of a data set's splits lie: folders, additions to names, and lists of names."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from fusion.core.errors import InputError, list_names
from fusion.core.files import read_bytes
from fusion.images.pairs import Pair, find_images, match_pairs
from fusion.images.prepared import SPLITS
from pipelines.datasets.config import NAME_FIELD, SPLIT_FIELD, PublishedSplits

LISTS = Path(__file__).with_name("lists")
"""Lists of names that come with the project."""

_LIST_LIMIT = 2**26
"""Bytes of a list of names."""


def read_names(path: Path) -> list[str]:
    """The names in a list, one per line, blank lines left out.

    Raises:
        InputError: it is missing or not UTF-8 text.
    """
    try:
        text = read_bytes(path, _LIST_LIMIT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8 text", "save it as UTF-8") from error
    if "\0" in text:
        raise InputError(path, "is not a text file", "save it as UTF-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def own_name(stem: str, pattern: str) -> str | None:
    """The pair's name in a file's stem, by a pattern with `{name}`; None if it does not match.

    >>> own_name("FLIR_00002_RGB", "{name}_RGB")
    'FLIR_00002'
    """
    before, after = pattern.split(NAME_FIELD)
    fits = stem.startswith(before) and stem.endswith(after)
    name = stem[len(before) : len(stem) - len(after)]
    return name if fits and name else None


def images_at(place: Path) -> dict[str, Path]:
    """Images by the name of their pair: those of a folder, or those whose names fit a pattern.

    Raises:
        InputError: as `find_images`, or none fits.
    """
    if NAME_FIELD not in place.name:
        return find_images(place)
    named = {own_name(stem, place.name): path for stem, path in find_images(place.parent).items()}
    found = {name: path for name, path in named.items() if name is not None}
    if not found:
        reason = f"has no image whose name is of the form {place.name}"
        raise InputError(place.parent, reason, "correct `infrared`, `visible` or `labels`")
    return found


def pairs_at(
    config: PublishedSplits | None, root: Path, split: str, places: Sequence[Path]
) -> list[Pair]:
    """The pairs of a split, sorted by name; those of its list if it has one.

    Args:
        config: settings with lists; None for a data set without.
        root: the data set's folder.
        split: name of the split.
        places: of its infrared and visible images.

    Raises:
        InputError: as `images_at`, an image has no partner, or a list names a pair that is not
            there or names one twice.
    """
    infrared, visible = places[:2]
    pairs = match_pairs(images_at(infrared), images_at(visible), infrared, visible)
    lists = (config.lists if config else None) or {}
    if split not in lists:
        return pairs
    listing = _listing(root, lists[split])
    pattern = infrared.name if NAME_FIELD in infrared.name else NAME_FIELD
    names = Counter(own_name(name, pattern) or name for name in read_names(listing))
    if repeated := {name for name, times in names.items() if times > 1}:
        raise InputError(listing, f"names pairs twice: {list_names(repeated)}", "correct the list")
    if missing := names.keys() - {pair.name for pair in pairs}:
        reason = f"names pairs that are not there: {list_names(missing)}"
        remedy = (
            "correct the list (a line is a name without folder and suffix), or complete the set"
        )
        raise InputError(listing, reason, remedy)
    return [pair for pair in pairs if pair.name in names]


def _listing(root: Path, file: str) -> Path:
    return root / file if os.path.lexists(root / file) else LISTS / file


def published(
    root: Path, config: PublishedSplits, names: Sequence[str], official: Mapping[str, str]
) -> dict[str, list[Path]]:
    """The folders `names` of every split: `<split>/<name>`, or `<name>` with `{split}` in it."""
    if config.splits is not None:
        if not any(SPLIT_FIELD in name for name in names):
            require_images_in(root / names[0], names[0])
        return {split: below(root, names, folder) for split, folder in config.splits.items()}
    if config.lists is not None and not any(SPLIT_FIELD in name for name in names):
        if (root / names[0]).parent.is_dir() and not _in_folders(root, config, official):
            return {split: [root / name for name in names] for split in config.lists}
        official = {split: official.get(split, split) for split in config.lists}
    found = {split: below(root, names, folder) for split, folder in official.items()}
    if any(SPLIT_FIELD in name for name in names):
        found = {split: folders for split, folders in found.items() if folders[0].is_dir()}
    else:
        found = {split: found[split] for split in official if (root / official[split]).is_dir()}
    if not found:
        require_images_in(root / names[0], names[0])
        wanted = ", ".join(official.values())
        raise InputError(root, f"has none of the folders {wanted}", "check `source` and `layout`")
    return found


def _in_folders(root: Path, config: PublishedSplits, official: Mapping[str, str]) -> bool:
    """Whether the listed splits have folders of their own."""
    return all((root / official.get(split, split)).is_dir() for split in config.lists or ())


def below(root: Path, names: Sequence[str], split: str) -> list[Path]:
    """The folders of one split."""
    if any(SPLIT_FIELD in name for name in names):
        return [root / name.replace(SPLIT_FIELD, split) for name in names]
    return [root / split / name for name in names]


def require_images_in(folder: Path, name: str) -> None:
    """Reject a folder of splits in place of images, with the correct name in the message.

    Raises:
        InputError: the folder holds splits.
    """
    if found := [split for split in SPLITS if (folder / split).is_dir()]:
        reason = f"holds the splits {' and '.join(found)}, not images"
        remedy = f"write `infrared: {name}/{SPLIT_FIELD}`, and {SPLIT_FIELD} in the other folders"
        raise InputError(folder, reason, remedy)


def unread(
    root: Path, config: PublishedSplits, names: Sequence[str], official: Mapping[str, str]
) -> Iterator[str]:
    """A note for every folder of pairs that the layout does not have: `val`, `valid`, `Train`."""
    if config.splits is not None or config.lists is not None:
        return
    before, field, _ = names[0].partition(SPLIT_FIELD)
    parent = (root / before if before.endswith("/") else root) if field else root
    for folder in sorted(path.name for path in parent.iterdir() if path.is_dir()):
        if folder not in official.values() and below(root, names, folder)[0].is_dir():
            alike = [split for split in SPLITS if folder.lower().startswith(split)]
            split = alike[0] if alike else "SPLIT"
            yield f"{folder} is not read: add it to `splits` (--split {split}={folder})"


def drawn_split(names: Mapping[str, Sequence[str]], config: PublishedSplits) -> dict[str, str]:
    """The split of every (split, name) that stays, after `sample` and `hold_out`, as `split/name`.

    Args:
        names: names by split.
        config: how many pairs of a split to keep, and the share that becomes val.

    Raises:
        InputError: a split has fewer pairs than its sample.
    """
    result: dict[str, str] = {}
    for split, members in names.items():
        kept = _sample(split, sorted(members), config)
        held = set(_held_out(kept, config)) if split == "train" else set()
        result |= {f"{split}/{name}": "val" if name in held else split for name in kept}
    return result


def _sample(split: str, names: list[str], config: PublishedSplits) -> list[str]:
    wanted = {str(name): count for name, count in config.sample.items()}.get(split, len(names))
    if wanted > len(names):
        reason = f"has {len(names)} {split} pairs, and `sample` wants {wanted}"
        raise InputError(config.source, reason, "complete the data set, or lower the sample")
    chosen = np.random.default_rng(config.sample_seed).permutation(len(names))[:wanted]
    return [names[index] for index in sorted(chosen.tolist())]


def _held_out(names: list[str], config: PublishedSplits) -> list[str]:
    if not config.hold_out:
        return []
    count = min(max(1, round(config.hold_out * len(names))), len(names) - 1)
    order = np.random.default_rng(config.sample_seed).permutation(len(names))
    return [names[index] for index in order[:count].tolist()]
