"""Sections of params.yaml that no other module owns; light to import."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from fusion.core.config import Config
from fusion.metrics import METRIC_NAMES
from pipelines.paths import TEACHERS
from pipelines.validation import require, require_distinct


class TrainingParams(Config):
    """One training phase, a DVC stage of its own; its key in params.yaml is `<method>-<phase>`.

    method: the row that it trains.
    phase: derived from the key.
    code: the method's file or folder. DVC watches it: an edit there trains this method only.
    after: the folder that must exist first: an earlier phase's weights, the training pairs, or
        `data/teachers` for a phase that learns from other methods.
    settings: the phase's own settings (the method's `phases[phase]`).

    `code` and `after` could be derived, but dvc.yaml can only use what params.yaml states.
    """

    method: str
    phase: str
    code: str
    after: str
    settings: dict[str, Any]

    def taught(self) -> bool:
        """Whether the phase learns from other methods."""
        return Path(self.after) == TEACHERS


class FusionParams(Config):
    """The fuse stage. `stretch` is the same for every method of a leaderboard."""

    stretch: bool = False
    batch_size: int = Field(1, ge=1, le=2**16)


class EvaluationParams(Config):
    """The evaluate stage: which fusion metrics the leaderboard shows."""

    metrics: list[str]

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            require(name in METRIC_NAMES, "metric", name, METRIC_NAMES)
        require_distinct("metrics", names)
        return names


class PageParams(Config):
    """The page stage: how many test images of a data set it shows; None for all."""

    images: int | None = Field(24, ge=1)


class ReportParams(Config):
    """The report."""

    page: PageParams = PageParams()
