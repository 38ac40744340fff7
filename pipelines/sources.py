"""Sources of data sets and rows: whether they are there, and whether a queued experiment has them.

`dvc exp run --queue` and `--temp` run in a copy of the repository. It holds what Git and DVC track,
and nothing else.
"""

from collections.abc import Iterator
from pathlib import Path, PurePath

from fusion.core.errors import InputError
from pipelines.download import RAW
from pipelines.git import git
from pipelines.params import Params
from pipelines.paths import SAMPLE

_REMEDY = "give its absolute path"


def require_sources(settings: Params) -> None:
    """Check that what data sets and rows are made from is there; stages would miss it hours later.

    Raises:
        InputError: a data set's folder, a folder of fused images, or trained weights are missing.
    """
    for name in {*settings.fuse_on, *settings.train_on}:
        source = Path(settings.datasets[name].source)
        if source.is_dir() or SAMPLE in source.parents or _is_in_dvc(source):
            continue
        remedy = f"{_fetching(source)}correct `source`"
        if not source.is_absolute() and _in_a_copy():
            remedy = f"this experiment runs in a copy of the repository: {_REMEDY}"
        raise InputError(source, f"is not a folder, and datasets.{name} is read from it", remedy)
    for row in settings.methods.values():
        row.require_source()


def local_sources(settings: Params) -> Iterator[str]:
    """The keys of params.yaml whose relative path a queued experiment would not find."""
    for key, path in settings.given_paths():
        if Path(path).is_absolute() or SAMPLE in Path(path).parents:
            continue
        if not _is_in_dvc(Path(path)) and not _is_in_git(path):
            yield f"{key} ({path})"


def _fetching(source: Path) -> str:
    """How to fetch what a missing folder should hold, by its name; empty if it is not known."""
    from pipelines.download.registry import known_sets

    for name, known in known_sets().items():
        place = PurePath(known.folder).parts
        if source.parts[-len(place) :] == place:
            into = Path(*source.parts[: -len(place)])
            other = "" if into == RAW else f" --into {into}"
            return f"fetch it (`pomai data get {name}{other}`), or "
    return ""


def _in_a_copy() -> bool:
    return Path(".dvc/tmp/exps").parts == Path.cwd().parts[-4:-1]


def _is_in_dvc(path: Path) -> bool:
    """Whether DVC tracks a path or a folder around it, as `dvc add` leaves it."""
    return any(Path(f"{place}.dvc").is_file() for place in (path, *path.parents[:-1]))


def _is_in_git(path: str) -> bool:
    """Whether Git tracks a file at or below a path; true where Git cannot tell."""
    return git("ls-files", "--", path) != ""
