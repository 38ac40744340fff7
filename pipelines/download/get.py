"""Fetching a known data set: once, verified, and moved to its place when it is complete."""

import shutil
from collections.abc import Callable
from enum import StrEnum
from logging import WARNING
from pathlib import Path

import pooch
from pydantic import ValidationError

from fusion.core.config import Config
from fusion.core.errors import InputError
from fusion.core.files import file_digest, read_bytes, write_bytes
from fusion.core.locks import exclusive
from pipelines.download import drive, http
from pipelines.download.archives import UnusableArchiveError, unpack
from pipelines.download.clone import clone
from pipelines.download.registry import (
    DriveFolderOrigin,
    DriveOrigin,
    GitOrigin,
    HttpOrigin,
    KnownSet,
    ManualOrigin,
)
from pipelines.download.verify import find_root, incomplete, require_complete, tree_digest

_LIMIT = 2**20
_UNPACKED = "unpacked"
Archive = HttpOrigin | DriveOrigin | DriveFolderOrigin


class Outcome(StrEnum):
    """What `get` found or did, as the rest of a sentence that begins with the set's folder."""

    RECORDED = "fetched; its content is not verified, but recorded: later fetches must agree"
    FETCHED = "fetched and verified"
    VERIFIED = "is there already, and verified"
    COUNTED = (
        "is there already with all its files; their content is not verified: no fetch is recorded"
    )


class Record(Config):
    """What was fetched, in `<into>/<name>.lock`; later copies must agree with it.

    Attributes:
        address: where it came from.
        version: the archive's checksum, `sha256:…` or `md5:…`, or the commit, `git:…`.
        files: SHA-256 over the names and contents of all files.
    """

    address: str
    version: str
    files: str

    @classmethod
    def load(cls, path: Path) -> "Record | None":
        """Read a record; None if there is none.

        Raises:
            InputError: the file is damaged.
        """
        if not path.exists():
            return None
        try:
            return cls.model_validate_json(read_bytes(path, _LIMIT))
        except ValidationError as error:
            remedy = "remove it to record the data set again"
            raise InputError(path, "is not a record of a fetched data set", remedy) from error


def get(name: str, known: KnownSet, into: Path, *, accept: bool = False) -> tuple[Path, Outcome]:
    """Fetch, verify and unpack a known data set.

    A complete copy in its place is verified and not fetched again. An interrupted download is
    continued. The checksum, where one is known, decides whether the archive is the right one;
    where none is, the first fetch records it and later ones must agree.

    Args:
        name: name of the data set.
        known: what is known of it.
        into: folder of all official data.
        accept: record what arrives, although it differs from what was published or recorded.

    Returns:
        The data set's folder, and how it came there.

    Raises:
        InputError: no program can fetch the data set, fetching it failed, or
            what is there or arrives is damaged, incomplete or changed.
    """
    place, record = into / known.folder, into / f"{name}.lock"
    recorded = Record.load(record)
    if place.exists():
        return place, _present(name, known, place, recorded)
    if isinstance(known.origin, ManualOrigin):
        reason = f"cannot be fetched by a program: {known.origin.how}"
        raise InputError(name, reason, by_hand(known, into))
    work = into / f".{name}"
    with exclusive(work):
        wanted = None if accept else _wanted(known.origin, recorded)
        if isinstance(known.origin, GitOrigin):
            version = _clone(known.origin, work, wanted)
        else:
            version = _unpack(name, known, known.origin, into, wanted)
        root = _arrived(name, known, work, wanted)
        made = Record(address=known.address(), version=version, files=tree_digest(root))
        place.parent.mkdir(parents=True, exist_ok=True)
        # First: a folder that is in its place without a record would never be verified.
        write_bytes(record, f"{made.model_dump_json(indent=1)}\n".encode())
        root.rename(place)
    shutil.rmtree(work)
    return place, Outcome.FETCHED if wanted else Outcome.RECORDED


def by_hand(known: KnownSet, into: Path) -> str:
    """How to bring a data set to its place below `into` by hand, as a sentence."""
    place, address = into / known.folder, known.address()
    page = "" if known.page == address else f" (the authors' page is {known.page})"
    return (
        f"open {address}{page}, put the data into the folder {place} with {known.layout()}, "
        f"and run `pomai data check {place}`"
    )


def _present(name: str, known: KnownSet, place: Path, recorded: Record | None) -> Outcome:
    """Check the copy that is in its place."""
    if recorded is None or known.holds:
        require_complete(name, known, place)
    if recorded is None:
        return Outcome.COUNTED
    if tree_digest(place) != recorded.files:
        reason = "has changed since it was fetched"
        raise InputError(place, reason, "move it away and fetch it again, or remove its .lock file")
    return Outcome.VERIFIED


def _wanted(origin: GitOrigin | Archive, recorded: Record | None) -> str | None:
    """The checksum or commit that was fetched before, or else the one that is known."""
    if isinstance(origin, GitOrigin):
        return recorded.version.removeprefix("git:") if recorded else origin.commit
    return recorded.version if recorded else origin.checksum


def _arrived(name: str, known: KnownSet, work: Path, wanted: str | None) -> Path:
    """The folder with the set's layout in what was unpacked."""
    root = find_root(known, work / _UNPACKED)
    if reason := incomplete(name, known, root):
        remedy = f"compare with {known.page}"
        if wanted is None:
            _archive(name, work).unlink(missing_ok=True)
            remedy = f"run the command again: it fetches anew; if that does not help, {remedy}"
        raise InputError(known.address(), f"what arrived {reason}", remedy)
    return root


def _archive(name: str, work: Path) -> Path:
    return work / f"{name}.archive"


def _clone(origin: GitOrigin, work: Path, wanted: str | None) -> str:
    """Check the repository's folders out, and return the commit as a version."""
    commit = clone(origin.url, wanted, origin.paths, work / "clone")
    shutil.rmtree(work / _UNPACKED, ignore_errors=True)
    (work / "clone").rename(work / _UNPACKED)
    shutil.rmtree(work / _UNPACKED / ".git")
    return f"git:{commit}"


def _unpack(name: str, known: KnownSet, origin: Archive, into: Path, expected: str | None) -> str:
    """Fetch and unpack the archive, and return its checksum as a version."""
    work = into / f".{name}"
    archive = _archive(name, work)
    if expected or not archive.exists():
        _retrieve(known, origin, archive, expected, by_hand(known, into))
    shutil.rmtree(work / _UNPACKED, ignore_errors=True)
    try:
        unpack(archive, work / _UNPACKED)
    except UnusableArchiveError as error:
        if expected:  # another fetch would bring the same bytes
            raise
        archive.unlink()
        remedy = f"run the command again: it fetches anew; if that does not help, see {known.page}"
        raise InputError(
            known.address(), f"what arrived cannot be used: {error.reason}", remedy
        ) from error
    return expected or f"sha256:{file_digest(archive)}"


def _retrieve(
    known: KnownSet, origin: Archive, archive: Path, expected: str | None, remedy: str
) -> None:
    downloader = _downloader(known, origin, archive.with_suffix(".part"), remedy)
    pooch.get_logger().setLevel(WARNING)
    try:
        pooch.retrieve(
            known.address(), expected, archive.name, archive.parent, downloader=downloader
        )
    except InputError:
        raise
    except ValueError as error:  # pooch's error for another checksum
        reason = f"the file that arrived is not the one with checksum {expected}"
        remedy = f"run the command again; if that does not help, compare with {known.page}"
        raise InputError(known.address(), reason, f"{remedy} and --accept the file") from error


def _downloader(
    known: KnownSet, origin: Archive, part: Path, remedy: str
) -> Callable[[str, str | Path, object], None]:
    """A downloader for pooch that keeps what has arrived in `part`, to continue there."""

    def download(url: str, output: str | Path, _: object) -> None:
        if isinstance(origin, HttpOrigin):
            http.fetch(url, part, known.page)
        elif isinstance(origin, DriveOrigin):
            drive.fetch(origin.id, part, remedy)
        else:
            file_id = drive.find_in_folder(origin.id, origin.file, remedy)
            drive.fetch(file_id, part, remedy)
        part.replace(output)

    return download
