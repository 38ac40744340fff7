"""The base of all scores: their folders, writing and reading."""

from pathlib import Path
from typing import ClassVar, Literal, Self
from zipfile import BadZipFile

from pydantic import ValidationError

from fusion.core.config import Config
from fusion.core.errors import InputError
from fusion.core.files import write_bytes
from pipelines.paths import SCORES, empty

Stage = Literal["evaluate", "detect", "segment"]
"""The stages that measure."""

UNREADABLE = (OSError, ValueError, KeyError, EOFError, BadZipFile)
"""Exceptions from reading a damaged table or array."""

REMEDY = "run `dvc repro`, which measures it again"


def stage_name(stage: Stage, method: str, dataset: str, seed: int | None = None) -> str:
    """The name in DVC of the stage that measures one method on one data set.

    Args:
        seed: the training seed, where the stage has one.

    >>> stage_name("evaluate", "pomai", "msrs"), stage_name("detect", "pomai", "m3fd", 0)
    ('evaluate@pomai-msrs', 'detect@pomai-m3fd-0')
    """
    return f"{stage}@{_key(method, dataset, seed)}"


def score_folder(
    stage: Stage, method: str, dataset: str, root: Path = SCORES, seed: int | None = None
) -> Path:
    """The folder of one method's score on one data set.

    Args:
        root: where: `SCORES`, or what the stage writes besides (`PLOTS`, `PICTURES`, `WEIGHTS`,
            `RUNS`).
        seed: the training seed, where the stage has one.
    """
    return root / f"{stage}-{_key(method, dataset, seed)}"


def _key(method: str, dataset: str, seed: int | None) -> str:
    """What dvc.yaml calls `${key}`."""
    return f"{method}-{dataset}" + ("" if seed is None else f"-{seed}")


class Scores(Config):
    """The base of the three scores: facts in `scores.json`, tables and arrays in files beside it.

    `save` writes the facts last, so that a folder without them is known to be incomplete.
    """

    stage: ClassVar[Stage]
    file: ClassVar[str] = "scores.json"

    def save(self, folder: Path) -> None:
        """Write everything into an emptied folder."""
        empty(folder)
        self._save_files(folder)
        write_bytes(folder / self.file, f"{self.model_dump_json(indent=2)}\n".encode())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the scores that `save` wrote.

        Raises:
            InputError: a file is missing, damaged, or written by another version of the code.
        """
        path = folder / cls.file
        try:
            scores = cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise InputError(path, "is missing", REMEDY) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            reason = f"is damaged or of another version ({where}: {first['msg']})"
            raise InputError(path, reason, REMEDY) from error
        return scores.model_copy(update=scores._load_files(folder))

    def _save_files(self, folder: Path) -> None:
        """Write the data that `scores.json` does not contain."""
        raise NotImplementedError

    def _load_files(self, folder: Path) -> dict[str, object]:
        """Read the data that `scores.json` does not contain: field → value."""
        raise NotImplementedError


def unreadable(path: Path, error: Exception) -> InputError:
    """The error to raise when a file beside `scores.json` cannot be read."""
    reason = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged ({error})"
    return InputError(path, reason, REMEDY)
