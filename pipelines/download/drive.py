"""Files from Google Drive, by gdown."""

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

import gdown
import requests
from gdown.exceptions import DownloadError

from fusion.core.errors import InputError, list_names, unwritable
from pipelines.download.http import AGAIN, TIMEOUT

_RETRIES = 2
_PREFIX = "Failed to retrieve file url: "  # gdown's
_QUOTA = ("too many users", "quota")


def find_in_folder(folder: str, pattern: str, by_hand: str) -> str:
    """The id of the one file of this name in a shared folder and its subfolders.

    Args:
        folder: the folder's id.
        pattern: name of the file; `*` stands for any characters.
        by_hand: what to do if Drive refuses, as a sentence.

    Raises:
        InputError: Drive cannot be reached or refuses, or the folder has not one such file.
    """
    address = f"https://drive.google.com/drive/folders/{folder}"
    with _reported(address, by_hand):
        listed = gdown.download_folder(
            id=folder, skip_download=True, quiet=True, use_cookies=False, timeout=TIMEOUT
        )
    found = [(Path(entry.path).name, entry.id) for entry in listed if not isinstance(entry, str)]
    matches: list[str] = [file_id for name, file_id in found if fnmatch(name, pattern)]
    if len(matches) != 1:
        names = list_names(name for name, _ in found) or "none"
        reason = f"has {len(matches)} files {pattern}; it has {names}"
        raise InputError(address, reason, by_hand)
    return matches[0]


def fetch(file_id: str, part: Path, by_hand: str) -> None:
    """Write the file of this id to `part`; an interrupted download continues.

    Args:
        file_id: the file's id.
        part: file to write; what has arrived is kept beside it until it is complete.
        by_hand: what to do if Drive refuses, as a sentence.

    Raises:
        InputError: Drive cannot be reached, refuses, or stops early; or the disk is full.
    """
    with _reported(f"https://drive.google.com/file/d/{file_id}", by_hand, part):
        gdown.download(
            id=file_id,
            output=str(part),
            resume=True,
            use_cookies=False,
            timeout=TIMEOUT,
            retries=_RETRIES,
        )


@contextmanager
def _reported(address: str, by_hand: str, part: Path | None = None) -> Iterator[None]:
    try:
        yield
    except DownloadError as error:
        raise InputError(address, *_worded(error, by_hand, part)) from error
    except requests.exceptions.HTTPError as error:
        status = "" if error.response is None else f" (status {error.response.status_code})"
        raise InputError(address, f"Drive refuses{status}", by_hand) from error
    except requests.exceptions.RequestException as error:
        remedy = "check the network, then run the same command again"
        raise InputError(address, "Drive cannot be reached", remedy) from error
    except OSError as error:
        raise unwritable(Path(error.filename or address), error) from error


def _worded(error: DownloadError, by_hand: str, part: Path | None) -> tuple[str, str]:
    """The reason and the remedy for what gdown says."""
    said = " ".join(str(error).split())
    lowered = said.lower()
    partial = f"{part}*.part"
    if any(word in lowered for word in _QUOTA):
        return "Drive allows no more downloads today", f"try again tomorrow, or {by_hand}"
    if "download is incomplete" in lowered:
        return "Drive stopped before the file was complete", AGAIN
    if isinstance(error.__cause__, requests.exceptions.RequestException):
        return "the connection to Drive failed", f"check the network, then {AGAIN}"
    if "byte range" in lowered:
        reason = "Drive did not continue where the last attempt stopped"
        return reason, f"{AGAIN}, or, if it does not, remove {partial} to start from the beginning"
    if "multiple temporary files" in lowered:
        return (
            "an earlier attempt left several partial files",
            f"keep one of {partial}, then {AGAIN}",
        )
    return f"Drive refuses: {said.removeprefix(_PREFIX).partition('. ')[0]}", by_hand
