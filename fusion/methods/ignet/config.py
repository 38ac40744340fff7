"""Settings of IGNet; imports no torch."""

from typing import Literal

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings

Statistics = Literal["image", "running"]


class IGNetConfig(Config):
    """IGNet's network.

    width: of each encoder's first convolution; the others have two, three and four times as many
        channels, and a node of the graph has 1/32 of its features' channels.
    cascade: channels of each modality's decoder after each of its three steps.
    statistics: what batch normalization uses while the network fuses: each image's own mean and
        variance ("image", as the authors' test program does) or the running averages of training.
    """

    width: int = Field(128, ge=64, multiple_of=64)
    cascade: list[int] = Field([128, 32, 4], min_length=3, max_length=3)
    statistics: Statistics = "image"


SETTINGS = MethodSettings(IGNetConfig)
