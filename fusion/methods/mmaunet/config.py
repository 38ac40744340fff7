"""MMA-UNet's settings; imports no torch."""

from typing import Self

from pydantic import Field, model_validator

from fusion.blocks.config import require_pixels
from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig


class MMAUNetConfig(Config):
    """`width` of the finest of five levels, doubled at each deeper one; `reduction` of the gates
    through which visible features guide infrared ones.
    """

    width: int = Field(64, ge=4, multiple_of=4)
    reduction: int = Field(16, ge=1)


class MMAUNetLossConfig(Config):
    """Weights of the loss, see `MMAUNetLoss`; reconstruction has those of fusion (choice)."""

    mse: float = Field(1.0, ge=0)
    ssim: float = Field(0.5, ge=0)
    edge: float = Field(10.0, ge=0)


class MMAUNetPhaseConfig(PhaseConfig):
    """Settings of each of the three phases."""

    loss: MMAUNetLossConfig = MMAUNetLossConfig()

    @model_validator(mode="after")
    def _enough_for_batch_normalization(self) -> Self:
        require_pixels(self.batch_size, self.crop)
        return self


SETTINGS = MethodSettings(
    MMAUNetConfig,
    {
        "visible": MMAUNetPhaseConfig,
        "infrared": MMAUNetPhaseConfig,
        "fusion": MMAUNetPhaseConfig,
    },
)
