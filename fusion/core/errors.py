"""The exception for bad input, and helpers for its messages."""

from collections.abc import Iterable
from pathlib import Path


class InputError(ValueError):
    """Bad input from the user: names the file, the reason and a remedy, in one line."""

    def __init__(self, path: Path | str, reason: str, remedy: str) -> None:
        super().__init__(" ".join(f"{path}: {reason}; {remedy}".splitlines()))
        self.path, self.reason, self.remedy = Path(path), reason, remedy


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
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more
