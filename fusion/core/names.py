"""Names that end up in paths, stages and command lines."""

import re
from typing import Annotated

from pydantic import AfterValidator

LONGEST = 64
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
    if len(name) > LONGEST:
        raise ValueError(f"{name!r}: a name has at most {LONGEST} characters, not {len(name)}")
    if name.lower() in _RESERVED:
        raise ValueError(f"{name!r}: Windows reserves this name, choose another")
    return name


Name = Annotated[str, AfterValidator(checked_name)]
"""The name of a data set, a row of the leaderboard or a training phase."""
