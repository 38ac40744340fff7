"""Files from web servers: interrupted downloads continue, and every failure names its remedy."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from http import HTTPStatus
from pathlib import Path

import requests

from fusion.core.errors import InputError, unwritable

_CHUNK = 2**16
TIMEOUT = 10, 60
"""Seconds to connect, and between two pieces."""

AGAIN = "run the same command again: it continues where it stopped"

_REFUSALS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "wants a login",
    HTTPStatus.FORBIDDEN: "refuses access",
    HTTPStatus.NOT_FOUND: "no longer has this file",
    HTTPStatus.GONE: "no longer has this file",
    HTTPStatus.TOO_MANY_REQUESTS: "has had too many requests",
}


def fetch(url: str, part: Path, page: str) -> None:
    """Write the content of `url` to `part`; what is there from an earlier call is continued.

    The server's mark of the file's version (ETag or date) is kept in `<part>.version`. Where the
    server has none, has another version by now, or cannot continue, the file is fetched from its
    beginning.

    Args:
        url: address, http or https.
        part: file to write; its folder exists.
        page: address of the page to look at, for messages.

    Raises:
        InputError: the server cannot be reached, refuses, sends a web page in place of a file, or
            stops early; or the disk is full.
    """
    start = _continued(part)
    with _reported(url, part, page), _open(url, part, start) as response:
        if start and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            fetch(url, part, page)
            return
        _require_file(url, response, page)
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            start = 0
        expected = _length(response)
        require_space(part.parent, expected)
        version = response.headers.get("ETag") or response.headers.get("Last-Modified", "")
        _version(part).write_text(version)
        with part.open("ab" if start else "wb") as file:
            for piece in response.iter_content(_CHUNK):
                file.write(piece)
        arrived = part.stat().st_size - start
        if arrived < expected:
            reason = f"sent {arrived} of {expected} bytes"
            raise InputError(url, reason, AGAIN)
    _version(part).unlink()


def require_space(folder: Path, needed: int) -> None:
    """Check that `needed` bytes fit on the disk of `folder`.

    Raises:
        InputError: they do not.
    """
    if needed > (free := shutil.disk_usage(folder).free):
        reason = f"needs {needed / 1e9:.1f} GB and has {free / 1e9:.1f} GB free"
        raise InputError(folder, reason, "free space there, or choose another folder (--into)")


def _version(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _continued(part: Path) -> int:
    """Bytes that can be kept: none without the version that they belong to."""
    known = _version(part).exists() and _version(part).read_text()
    return part.stat().st_size if known and part.exists() else 0


def _open(url: str, part: Path, start: int) -> requests.Response:
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": _version(part).read_text()}
    return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)


def _length(response: requests.Response) -> int:
    """Bytes that the server announces; 0 if it announces none, or no number."""
    announced = response.headers.get("Content-Length", "")
    return int(announced) if announced.isascii() and announced.isdigit() else 0


def _require_file(url: str, response: requests.Response, page: str) -> None:
    status = response.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise InputError(url, f"the server is not available (status {status})", "try again later")
    if status >= HTTPStatus.BAD_REQUEST:
        why = _REFUSALS.get(status, "refuses")
        later = status == HTTPStatus.TOO_MANY_REQUESTS
        remedy = "try again in some hours" if later else f"look for a new address at {page}"
        raise InputError(url, f"the server {why} (status {status})", remedy)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        place = f" at {response.url}" if response.history else ""
        reason = f"the server sent a web page{place} in place of a file"
        raise InputError(url, reason, f"it may want a login or consent: open {page}")


@contextmanager
def _reported(url: str, part: Path, page: str) -> Iterator[None]:
    try:
        yield
    except requests.exceptions.TooManyRedirects as error:
        raise InputError(url, "redirects without end", f"open {page}") from error
    except requests.exceptions.SSLError as error:
        reason = "its certificate cannot be verified"
        raise InputError(url, reason, "check the computer's clock and network") from error
    except requests.exceptions.Timeout as error:
        raise InputError(url, "the server does not answer", AGAIN) from error
    except requests.exceptions.RequestException as error:
        if part.exists() and part.stat().st_size:
            reason = f"the connection ended after {part.stat().st_size} bytes"
            raise InputError(url, reason, AGAIN) from error
        reason = "the server cannot be reached"
        raise InputError(url, reason, "check the network and the proxy settings") from error
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise InputError(part, "the disk is full", f"free space, then {AGAIN}") from error
        raise unwritable(part, error) from error
