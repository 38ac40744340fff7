"""EMMA's settings; imports no torch."""

from typing import Self

from pydantic import Field, model_validator

from fusion.blocks.config import require_pixels
from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig, TaughtPhaseConfig


class SensingConfig(Config):
    """A_i and A_v: five levels of width, 2·width, …, 16·width."""

    width: int = Field(64, ge=1)


class EMMAConfig(Config):
    """EMMA's network.

    `widths` are the U-Fuser's, one a level. `sensing` is null but in what phase `sensing` leaves.
    """

    widths: list[int] = Field([8, 16, 32, 32], min_length=2, max_length=4)
    heads: int = Field(8, ge=1)
    sensing: SensingConfig | None = None

    @model_validator(mode="after")
    def _heads_divide_widths(self) -> Self:
        for width in self.widths:
            if width < 1 or width % self.heads:
                raise ValueError(f"widths: {width} must be a multiple of heads ({self.heads})")
        return self


class EMMASensingPhaseConfig(TaughtPhaseConfig):
    """A_i and A_v learn to recover the sources from fused images of `teachers`.

    Which teachers is a choice: the fused images that the paper used were not released.

    contrast: patches of a lower (p90 − p10) / p90, in either source, do not count.
    """

    network: SensingConfig = SensingConfig()
    contrast: float = Field(0.1, ge=0, le=1)

    @model_validator(mode="after")
    def _enough_for_batch_normalisation(self) -> Self:
        require_pixels(self.batch_size * len(self.teachers), self.crop)
        return self


class EMMAFusionPhaseConfig(PhaseConfig):
    """The U-Fuser learns through the frozen A_i and A_v.

    equivariance: weight of the equivariance term.
    shifts, rotations: how many transforms of each kind; the three flips come on top.
    """

    equivariance: float = Field(0.1, ge=0)
    shifts: int = Field(3, ge=0, le=15)
    rotations: int = Field(3, ge=0)


SETTINGS = MethodSettings(
    EMMAConfig, {"sensing": EMMASensingPhaseConfig, "fusion": EMMAFusionPhaseConfig}
)
