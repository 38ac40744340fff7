"""Settings of TIM; imports no torch."""

from typing import Literal

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings

Statistics = Literal["image", "running"]


class TIMConfig(Config):
    """TIM's network: one of the two that its authors found by their search.

    variant: "main" fuses at several scales and refines the result; "light" is a smaller first
        network alone.
    channels: of all features.
    second_statistics: what batch normalization of the refining network uses while it fuses: each
        image's own mean and variance ("image", as the authors' test program does) or the running
        averages of training.
    """

    variant: Literal["main", "light"] = "main"
    channels: int = Field(48, ge=16, multiple_of=16)
    second_statistics: Statistics = "image"


SETTINGS = MethodSettings(TIMConfig)
