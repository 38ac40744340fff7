"""Files from Google Drive, by gdown."""

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

import gdown
import requests
from gdown.exceptions import DownloadError

from fusion.core.errors import InputError, list_names, unwritable

_PREFIX = "Failed to retrieve file url: "  # gdown's
_QUOTA = ("too many users", "quota")


def find_in_folder(folder: str, pattern: str) -> str:
    """The id of the one file of this name in a shared folder and its subfolders.

    Args:
        folder: the folder's id.
        pattern: name of the file; `*` stands for any characters.

    Raises:
        InputError: Drive cannot be reached or refuses, or the folder has not one such file.
    """
    address = f"https://drive.google.com/drive/folders/{folder}"
    with _reported(address):
        listed = gdown.download_folder(id=folder, skip_download=True, quiet=True, use_cookies=False)
    found = [(Path(entry.path).name, entry.id) for entry in listed if not isinstance(entry, str)]
    matches: list[str] = [file_id for name, file_id in found if fnmatch(name, pattern)]
    if len(matches) != 1:
        names = list_names(name for name, _ in found) or "none"
        reason = f"has {len(matches)} files {pattern}; it has {names}"
        raise InputError(address, reason, "open the folder and fetch the archive by hand")
    return matches[0]


def fetch(file_id: str, part: Path) -> None:
    """Write the file of this id to `part`; an interrupted download continues.

    Raises:
        InputError: Drive cannot be reached or refuses, or the disk is full.
    """
    with _reported(f"https://drive.google.com/file/d/{file_id}"):
        gdown.download(id=file_id, output=str(part), resume=True, use_cookies=False)


@contextmanager
def _reported(address: str) -> Iterator[None]:
    by_hand = "open the address in a browser and fetch the archive by hand"
    try:
        yield
    except DownloadError as error:
        said = " ".join(str(error).split())
        if any(word in said.lower() for word in _QUOTA):
            remedy = f"try again tomorrow, or {by_hand}"
            raise InputError(address, "Drive allows no more downloads today", remedy) from error
        reason = f"Drive refuses: {said.removeprefix(_PREFIX).partition('. ')[0]}"
        raise InputError(address, reason, by_hand) from error
    except requests.exceptions.RequestException as error:
        remedy = "check the network, then run the same command again"
        raise InputError(address, "Drive cannot be reached", remedy) from error
    except OSError as error:
        raise unwritable(Path(error.filename or address), error) from error
