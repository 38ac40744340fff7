"""EMMA's settings; imports no torch."""

from typing import Self

from pydantic import Field, model_validator

from fusion.blocks.config import Skip, require_pixels
from fusion.core.config import Config
from fusion.methods.settings import MethodSettings, PhaseConfig, TaughtPhaseConfig


class SensingConfig(Config):
    """A_i and A_v: five levels of width, 2·width, …, 16·width."""

    width: int = Field(64, ge=1)


class EMMAConfig(Config):
    """EMMA's network.

    widths: of the U-Fuser, one per level.
    skip: the image that the decoder's output is added to (choice; the paper has none). Training
        then starts from this image. Without one, a short training ends in stripes.
    blur: whether the decoder's output passes a 3×3 binomial filter before the skip is added
        (choice; the paper has none). It removes patterns of period 2, which EMMA's loss does not
        see.
    sensing: null except in weights saved by phase `sensing`.
    """

    widths: list[int] = Field([8, 16, 32, 32], min_length=2, max_length=4)
    heads: int = Field(8, ge=1)
    skip: Skip = "none"
    blur: bool = False
    sensing: SensingConfig | None = None

    @model_validator(mode="after")
    def _heads_divide_widths(self) -> Self:
        for width in self.widths:
            if width < 1 or width % self.heads:
                raise ValueError(f"widths: {width} must be a multiple of heads ({self.heads})")
        return self


class EMMASensingPhaseConfig(TaughtPhaseConfig):
    """A_i and A_v learn to recover the sources from fused images of `teachers`.

    The teachers are a choice, because the paper's fused images were not released.

    contrast: patches of a lower (p90 − p10) / p90, in either source, do not count.
    noise: standard deviation of Gaussian noise on the fused images that A_i and A_v see (choice;
        the paper has none). Weak fine patterns then carry no information about the sources.
    """

    network: SensingConfig = SensingConfig()
    contrast: float = Field(0.1, ge=0, le=1)
    noise: float = Field(0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _enough_for_batch_normalization(self) -> Self:
        require_pixels(self.batch_size * len(self.teachers), self.crop)
        return self


class EMMAFusionPhaseConfig(PhaseConfig):
    """The U-Fuser learns through the frozen A_i and A_v.

    equivariance: weight of the equivariance term.
    shifts, rotations: number of transforms of each kind, besides the three flips.
    noise: as in phase sensing; give both phases the same.
    saturation: training stops when more than this share of the fused pixels is black or white, in
        the mean over an epoch. A fuser that draws nothing else gets no gradient and stays so.
    """

    equivariance: float = Field(0.1, ge=0)
    shifts: int = Field(3, ge=0, le=15)
    rotations: int = Field(3, ge=0)
    noise: float = Field(0.0, ge=0, le=1)
    saturation: float = Field(0.5, gt=0, le=1)


SETTINGS = MethodSettings(
    EMMAConfig, {"sensing": EMMASensingPhaseConfig, "fusion": EMMAFusionPhaseConfig}
)
