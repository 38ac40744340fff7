"""Names that end up in paths, stages and command lines."""

import re
from typing import Annotated

from pydantic import AfterValidator

from fusion.core.errors import InputError

LONGEST = 64
"""Bytes: a folder is called after a task, a row and a data set, and has 255 at most."""

_PATTERN = re.compile(r"[^\W_][\w-]*")
_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)),
}
"""File names that Windows reserves."""


def checked_name(name: str) -> str:
    """The name itself if it is safe in a path, a stage's name and a shell.

    >>> checked_name("msrs-dev"), checked_name("été_2024")
    ('msrs-dev', 'été_2024')
    >>> checked_name("v1.0")
    Traceback (most recent call last):
        ...
    ValueError: 'v1.0': a name has letters, digits, _ and - only, and starts with a letter or digit

    Raises:
        ValueError: it has other characters, is longer than `LONGEST`, or is reserved by Windows.
    """
    if not _PATTERN.fullmatch(name):
        rule = "letters, digits, _ and - only, and starts with a letter or digit"
        raise ValueError(f"{name!r}: a name has {rule}")
    if (length := len(name.encode())) > LONGEST:
        raise ValueError(f"{name!r}: a name has at most {LONGEST} bytes in UTF-8, not {length}")
    if name.lower() in _RESERVED:
        raise ValueError(f"{name!r}: Windows reserves this name, choose another")
    return name


def require_name(what: str, name: str) -> None:
    """Check a name from a command line or a function call.

    Raises:
        InputError: as `checked_name`; `what` says what is named.
    """
    try:
        checked_name(name)
    except ValueError as error:
        raise InputError(what, str(error), "choose another name") from error


Name = Annotated[str, AfterValidator(checked_name)]
"""The name of a data set, a row of the leaderboard or a training phase."""
