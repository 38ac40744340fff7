"""Checks of the paths and folders that params.yaml asks for; light to import."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from fusion.core.errors import InputError
from fusion.core.weight_files import check_weight_file


def require_weight_file(key: str, file: str) -> None:
    """Refuse a file that cannot be weights.

    Raises:
        ValueError: with the key and what the file is.
    """
    try:
        check_weight_file(Path(file))
    except InputError as error:
        raise ValueError(f"{key}: {error} (null starts from random ones)") from error


def require_paths_inside(given: Iterable[tuple[str, str]]) -> None:
    """Refuse a relative path that leaves the repository: experiments run in copies of it.

    Args:
        given: keys and paths.

    Raises:
        ValueError: naming the first such path.

    >>> require_paths_inside([("datasets.msrs.source", "../MSRS")])
    Traceback (most recent call last):
    ValueError: datasets.msrs.source: '../MSRS' is outside the repository, ...
    """
    for key, path in given:
        if os.path.normpath(path).startswith(".."):
            raise ValueError(
                f"{key}: '{path}' is outside the repository, and `dvc exp run --queue` and "
                "`--temp` run in a copy of it that lies elsewhere: give the absolute path"
            )


def require_sources_apart(given: Iterable[tuple[str, str]], made: Collection[Path]) -> None:
    """Refuse a source that holds the repository, or that the pipeline itself writes.

    DVC would read the whole folder before the first stage, or wait for a stage that waits for it.

    Args:
        given: keys and paths.
        made: folders that stages write.

    Raises:
        ValueError: naming the first such path.

    >>> require_sources_apart([("datasets.msrs.source", ".")], [])
    Traceback (most recent call last):
    ValueError: datasets.msrs.source: '.' holds the repository itself: give the data set's folder
    """
    here = Path.cwd()
    for key, path in given:
        place = Path(os.path.normpath(here / path))
        if here.is_relative_to(place):
            raise ValueError(
                f"{key}: '{path}' holds the repository itself: give the data set's folder"
            )
        if any(place.is_relative_to(here / folder) for folder in made):
            raise ValueError(f"{key}: '{path}' is a folder that the pipeline writes: give another")


def require_distinct_folders(
    rows: Collection[str],
    datasets: Collection[str],
    phases: Collection[str],
    fuse_on: Collection[str],
) -> None:
    """Refuse names that give two things one folder, as `a` on `b-c` and `a-b` on `c` do.

    Raises:
        ValueError: naming both.
    """
    if same := {*rows} & {*phases}:
        raise ValueError(f"methods.{min(same)}: is the name of a training phase: rename the row")
    for names in (rows, datasets, phases):
        _require_distinct([(name, name) for name in names])
    _require_distinct([(f"{row}-{name}", f"{row} on {name}") for row in rows for name in fuse_on])


def _require_distinct(folders: Iterable[tuple[str, str]]) -> None:
    """Refuse folders of one name, also where a file system ignores case.

    Args:
        folders: each with what is kept in it.
    """
    kept: dict[str, str] = {}
    for folder, what in folders:
        other = kept.setdefault(folder.casefold(), what)
        if other != what:
            raise ValueError(f"'{other}' and '{what}' would share the folder {folder}: rename one")
