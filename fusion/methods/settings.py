"""Settings that every method's training phases share; imports no torch."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from fusion.core.config import Config


class PhaseConfig(Config):
    """The schedule of a training phase; a method's phases add their own fields.

    Adam with `learning_rate`. By default (`schedule` "steps") it is multiplied by `decay` every
    `decay_epochs` epochs; with "cosine" it falls to zero along half a cosine wave (Loshchilov and
    Hutter 2017). It never falls below `lowest_learning_rate`, except during the first
    `warm_up_updates`, over which it rises linearly. An epoch is ceil(pairs / batch_size) updates.
    `gradient_clip` limits the gradient norm (0: off). A phase that trains its weights in groups
    applies the schedule and the limit to each group.
    """

    epochs: int = Field(ge=0, le=10**6)
    batch_size: int = Field(ge=1, le=2**16)
    crop: int = Field(ge=16, le=2**13)
    learning_rate: float = Field(gt=0, le=10)
    schedule: Literal["steps", "cosine"] = "steps"
    decay: float = Field(0.5, gt=0, le=1)
    decay_epochs: int = Field(20, ge=1, le=10**6)
    lowest_learning_rate: float = Field(0.0, ge=0)
    warm_up_updates: int = Field(0, ge=0, le=10**9)
    gradient_clip: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _rate_can_fall(self) -> Self:
        if self.lowest_learning_rate > self.learning_rate:
            raise ValueError(
                f"lowest_learning_rate ({self.lowest_learning_rate}) is above learning_rate "
                f"({self.learning_rate})"
            )
        return self


class TaughtPhaseConfig(PhaseConfig):
    """A phase that also sees how other methods fused the training pairs (`Batch.fused`).

    teachers: rows of the leaderboard; the parameter `teachers` lists the teachers of all phases.
    """

    teachers: list[str] = Field(min_length=1)


class MethodSettings(NamedTuple):
    """The settings classes of a method: its network's, and each training phase's by name.

    `phases` is empty for a method that is not trained.
    """

    config: type[Config] = Config
    phases: Mapping[str, type[PhaseConfig]] = {}
