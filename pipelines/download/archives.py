"""Unpacking archives from elsewhere: nothing is written outside the target folder."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from stat import S_ISLNK
from typing import IO

from fusion.core.errors import InputError, unwritable
from pipelines.download.http import require_space

MOST_MEMBERS = 10**6
MOST_EXPANSION = 50
"""Unpacked size over archive size. Compressed images stay below 2, bitmaps and masks below 50."""

SMALL = 2**26
"""An archive whose content is not larger than this is never a bomb, whatever its expansion."""

_CHUNK = 2**20
_ANOTHER = "do not use it; fetch the archive again from its authors' page"
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError)


class UnusableArchiveError(InputError):
    """The archive itself is at fault: unpacking it again would fail again."""


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip or tar archive into a new folder.

    All members are checked before the first is written.

    Args:
        archive: .zip, .tar, or a tar compressed by gzip, bzip2 or xz; the content decides.
        target: folder to create.

    Raises:
        UnusableArchiveError: the archive is damaged, encrypted or of another format; a member lies
            outside the target, is a link or a device, or is larger than stated; or all members
            together are larger than `MOST_EXPANSION` times the archive.
        InputError: the members do not fit on the disk, or cannot be written.
    """
    with _reported(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _unpack_zip(archive, opened, target)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened_tar:
                _unpack_tar(archive, opened_tar, target)
        else:
            reason = "is not a zip or tar archive"
            raise UnusableArchiveError(archive, reason, "unpack it by hand, or fetch it again")


def _unpack_zip(archive: Path, opened: zipfile.ZipFile, target: Path) -> None:
    infos = [info for info in opened.infolist() if not info.is_dir()]
    for info in infos:
        _require_harmless(archive, info.filename, _zip_reason(info))
    total = sum(info.file_size for info in infos)
    _require_modest(archive, len(infos), total)
    _make(target, total)
    for info in infos:
        with opened.open(info) as content:
            _write(archive, content, target / info.filename, info.file_size)


def _unpack_tar(archive: Path, opened: tarfile.TarFile, target: Path) -> None:
    infos, total = [], 0
    for info in opened:
        if not info.isdir():
            infos.append(info)
            total += info.size
            _require_harmless(archive, info.name, None if info.isreg() else "is a link or a device")
            _require_modest(archive, len(infos), total)  # before the next is decompressed
    _make(target, total)
    for info in infos:
        if content := opened.extractfile(info):
            _write(archive, content, target / info.name, info.size)


def _zip_reason(info: zipfile.ZipInfo) -> str | None:
    if S_ISLNK(info.external_attr >> 16):
        return "is a link"
    return "is encrypted" if info.flag_bits & 1 else None


def _require_harmless(archive: Path, name: str, reason: str | None) -> None:
    if reason := reason or _escapes(name):
        raise UnusableArchiveError(archive, f"its member {name!r} {reason}", _ANOTHER)


def _escapes(name: str) -> str | None:
    """Why a member's name must not become a path, on any system."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.anchor or ".." in {*posix.parts, *windows.parts}:
        return "lies outside the folder"
    return "has a control character in its name" if min(name, default=" ") < " " else None


def _require_modest(archive: Path, count: int, total: int) -> None:
    if count > MOST_MEMBERS:
        raise UnusableArchiveError(archive, f"has more than {MOST_MEMBERS} members", _ANOTHER)
    if total > max(SMALL, MOST_EXPANSION * archive.stat().st_size):
        reason = f"unpacks to {total / 1e9:.1f} GB, over {MOST_EXPANSION} times its size"
        raise UnusableArchiveError(archive, reason, _ANOTHER)


def _make(target: Path, total: int) -> None:
    target.mkdir(parents=True)
    require_space(target, total)


def _write(archive: Path, content: IO[bytes], path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("xb") as file:
        while piece := content.read(_CHUNK):
            written += len(piece)
            if written > size:
                raise UnusableArchiveError(archive, f"{path.name} is larger than stated", _ANOTHER)
            file.write(piece)


@contextmanager
def _reported(archive: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        reason = f"is damaged ({error})"
        raise UnusableArchiveError(archive, reason, "remove it and fetch it again") from error
    except OSError as error:
        raise unwritable(archive, error) from error
