"""The exception for bad input, and helpers for its messages."""

from collections.abc import Iterable
from pathlib import Path

LONGEST_PART = 400
"""Characters of a path or a reason in a message; what is quoted from a file can be megabytes."""


class InputError(ValueError):
    """Bad input from the user: names the file, the reason and a remedy, in one line.

    The reason is shortened to `longest` characters.
    """

    def __init__(
        self, path: Path | str, reason: str, remedy: str, *, longest: int = LONGEST_PART
    ) -> None:
        parts = (shortened(str(path)), shortened(reason, longest), remedy)
        place, *rest = (printable(" ".join(part.splitlines())) for part in parts)
        super().__init__(f"{place}: {'; '.join(rest)}")
        self.path, self.reason, self.remedy = Path(path), reason, remedy


def own_words(message: str) -> str:
    """A message of pydantic without what it puts before the words of our own validators.

    >>> own_words("Value error, the names are equal")
    'the names are equal'
    """
    return message.removeprefix("Value error, ")


def printable(text: str) -> str:
    """Text without the characters that command a terminal: they become escapes.

    >>> print(printable("a\x1b[31mb"))
    a\\x1b[31mb
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def shortened(text: str, length: int = LONGEST_PART) -> str:
    """Text of at most `length` characters: the middle of a longer one is left out.

    >>> shortened("abcdefghijklmnop", 9)
    'abc … nop'
    """
    if len(text) <= length:
        return text
    half = (length - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


def unwritable(path: Path, error: OSError) -> InputError:
    """The error to raise when a file or folder cannot be written."""
    reason = f"cannot be written ({error.strerror or error})"
    return InputError(path, reason, "look at its permissions and whether the disk is full")


def unreadable(path: Path, error: Exception) -> InputError:
    """The error to raise when a file or folder cannot be opened."""
    reason = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    return InputError(path, reason, "check its name and its permissions")


def list_names(names: Iterable[str], limit: int = 10) -> str:
    """Sorted names for a message; the rest beyond `limit` as a count."""
    ordered = [printable(shortened(name)) for name in sorted(names)]
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more
