"""What is known of the official data sets: the typed content of sets.yaml."""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from fusion.core.config import Config
from fusion.core.errors import InputError
from fusion.core.names import Name
from pipelines.strict_yaml import read_yaml

SETS = Path(__file__).with_name("sets.yaml")

Checksum = Annotated[str, Field(pattern="^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")]


class GitOrigin(Config):
    """Folders of a Git repository.

    Attributes:
        url: the repository.
        paths: the folders that belong to the data set.
        commit: the commit to fetch; null takes the default branch's latest the first time and the
            recorded one from then on.
    """

    kind: Literal["git"]
    url: str
    paths: list[str]
    commit: str | None = None


class HttpOrigin(Config):
    """An archive on a web server."""

    kind: Literal["http"]
    url: str
    file: str
    checksum: Checksum | None = None


class DriveOrigin(Config):
    """An archive on Google Drive, by the file's id."""

    kind: Literal["drive"]
    id: str
    file: str
    checksum: Checksum | None = None


class DriveFolderOrigin(Config):
    """An archive in a shared folder of Google Drive, by the folder's id and the file's name.

    Attributes:
        file: name of the archive; `*` stands for any characters.
    """

    kind: Literal["drive_folder"]
    id: str
    file: str
    checksum: Checksum | None = None


class ManualOrigin(Config):
    """No program can fetch it: a form, a login, or a service without a download address.

    Attributes:
        how: what you do, as a sentence.
    """

    kind: Literal["manual"]
    how: str


Origin = Annotated[
    GitOrigin | HttpOrigin | DriveOrigin | DriveFolderOrigin | ManualOrigin,
    Field(discriminator="kind"),
]


class KnownSet(Config):
    """An official data set.

    Attributes:
        title: what it is.
        pairs: number of pairs, in words where it has splits.
        labels: what its labels are.
        size: bytes to download, in words.
        terms: license or terms of use, "none stated" if there are none.
        citation: the publication to cite.
        page: address of its authors' page.
        mirror: where else it is to be had, in words; `get` does not ask there.
        folder: name of its folder below `data/raw`.
        origin: where it comes from.
        holds: files of a complete copy, by folder or pattern.
        profiles: the profiles that use it, the one to name first.
        dataset: its settings in params.yaml, without `source` and `fuse`.
    """

    title: str
    pairs: str
    labels: str
    size: str
    terms: str
    citation: str
    page: str
    mirror: str | None = None
    folder: str
    origin: Origin
    holds: dict[str, int]
    profiles: list[str] = Field([])
    dataset: dict[str, Any] | None = None

    def address(self) -> str:
        """The address a person opens to get the data set."""
        origin = self.origin
        if isinstance(origin, DriveOrigin):
            return f"https://drive.google.com/file/d/{origin.id}"
        if isinstance(origin, DriveFolderOrigin):
            return f"https://drive.google.com/drive/folders/{origin.id}"
        return self.page if isinstance(origin, ManualOrigin) else origin.url

    def layout(self) -> str:
        """The folders and numbers of files of a complete copy, as a sentence."""
        return ", ".join(f"{place} ({count})" for place, count in self.holds.items()) or "any files"


@cache
def known_sets(path: Path = SETS) -> dict[str, KnownSet]:
    """All known data sets by name."""
    return TypeAdapter(dict[Name, KnownSet]).validate_python(read_yaml(path))


def sets_of(profile: str) -> dict[str, KnownSet]:
    """The data sets that a profile reads, by name."""
    return {name: known for name, known in known_sets().items() if profile in known.profiles}


def known_set(name: str, path: Path = SETS) -> KnownSet:
    """A data set by name.

    Raises:
        InputError: there is none of this name; the message lists all.

    >>> known_set("roadscene").folder
    'RoadScene'
    """
    if name not in (sets := known_sets(path)):
        raise InputError(name, "is not a known data set", f"choose from {', '.join(sets)}")
    return sets[name]
